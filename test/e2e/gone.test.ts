import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { connect, type Lab, type Slice } from '@community-lab/kernel'
import { LabError, path as fillRoute, routes, TokenCreated } from '@community-lab/contract'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'

// What a notebook waits for can be taken away by somebody else. Each wait of the library then ends with an error or a result that says so, or goes on where
// the thing is still there.

const run = promisify(execFile)

let testbed: RunningTestbed
/** The lab of the notebook that waits. */
let lab: Lab
/** The lab of somebody else. */
let other: Lab

beforeAll(async () => {
  testbed = await startTestbed({ nodes: 3 })
  lab = connect(testbed.credentials)
  other = connect(testbed.credentials)
})
afterAll(async () => {
  await lab.close()
  await other.close()
  await testbed[Symbol.asyncDispose]()
})

const template = 'tiny'

/** Everything of the library that waits for a slice, its slivers or a run, by the name of the call; what each has come to. */
interface Waits {
  readonly slice: Slice
  readonly ends: Map<string, string>
  /** What the calls whose names are not among these have come to, once they have all ended. */
  settled(except?: readonly string[]): Promise<Readonly<Record<string, string>>>
}

/** Begin every wait, each of which would last for ten minutes. */
async function beginWaits(name: string, on: Lab = lab): Promise<Waits> {
  const slice = await on.slices.ensure(name, { template, nodes: ['n1', 'n2'] })
  await slice.started()
  await slice.sh`mkfifo /tmp/read /tmp/write`
  const script =
    'echo "tick i=1 run=\\"$COMMUNITY_LAB_RUN\\"" > /run/community-lab/measure; sleep 600'
  const long = await slice.run('long', { script })
  const rtt = await slice.measure('rtt', { from: 'n1', to: 'n2', everyMs: 500, forMs: 600_000 })
  await rtt.rows('rtt').take(1)
  await long.rows('tick').take(2)
  const first = slice.sliver('n1')
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    'Slice.sh': () => slice.sh`sleep 600`,
    'Slice.exec with input': () => slice.exec('cat > /tmp/write', { input: 'x' }),
    'Sliver.exec': () => first.exec('sleep 600'),
    'Sliver.sh … orThrow': async () => (await first.sh`sleep 600`).orThrow(),
    'Sliver.read': () => first.read('/tmp/read'),
    'Run.done': () => long.done(),
    'Run.done without a bound': () => long.done({ timeoutMs: Infinity }),
    'Run.done … orThrow': async () => (await long.done()).orThrow(),
    'Run.done of a measurement': () => rtt.done(),
    'Run.rows': async () => {
      const seen: unknown[] = []
      for await (const row of long.rows('tick')) seen.push(row)
      return seen
    },
    'Run.rows().take': () => long.rows('never').take(1),
    'Run.rows of a measurement': () => rtt.rows('rtt').take(10_000),
  }
  const ends = new Map<string, string>()
  for (const [call, begin] of Object.entries(calls))
    begin().then(
      (value) => ends.set(call, describeValue(value)),
      (error: unknown) => ends.set(call, LabError.is(error) ? error.code : String(error)),
    )
  // All of them are under way: their programs run.
  await eventually(async () => {
    const [result] = await slice.sh`grep -l '^sleep' /proc/[0-9]*/cmdline | wc -l`
    expect(Number(result?.stdout)).toBeGreaterThanOrEqual(4)
  })
  return {
    slice,
    ends,
    async settled(except = []) {
      const names = Object.keys(calls).filter((call) => !except.includes(call))
      await eventually(() =>
        expect(
          names.filter((call) => !ends.has(call)),
          JSON.stringify([...ends]),
        ).toEqual([]),
      )
      return Object.fromEntries(names.map((call) => [call, ends.get(call) ?? '']))
    },
  }
}

/** What a call has returned, in a few words: the errors of results, the messages of outcomes. */
function describeValue(value: unknown): string {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value]
  const words = items.map((item) => {
    if (typeof item !== 'object' || item === null) return typeof item
    const error: unknown = Reflect.get(item, 'error')
    const message: unknown = Reflect.get(item, 'message')
    return LabError.is(error) ? error.code : typeof message === 'string' ? message : 'a value'
  })
  return [...new Set(words)].join(', ')
}

/** What every wait comes to when its slivers are gone for good, for a reason. */
const cutOff = (silence: string): Record<string, unknown> => ({
  'Slice.sh': expect.stringMatching(/^LAB_(?:COMMAND_LOST|SLIVER_GONE)/u) as string,
  'Slice.exec with input': expect.stringMatching(/^LAB_(?:COMMAND_LOST|SLIVER_GONE)/u) as string,
  'Sliver.exec': 'LAB_COMMAND_LOST',
  'Sliver.sh … orThrow': 'LAB_COMMAND_FAILED',
  'Sliver.read': 'LAB_COMMAND_FAILED',
  'Run.done': expect.stringContaining(silence) as string,
  'Run.done without a bound': expect.stringContaining(silence) as string,
  'Run.done … orThrow': 'LAB_RUN_CUT_OFF',
  'Run.done of a measurement': expect.stringContaining(silence) as string,
  'Run.rows': 'LAB_RUN_CUT_OFF',
  'Run.rows().take': 'LAB_RUN_CUT_OFF',
  'Run.rows of a measurement': 'LAB_RUN_CUT_OFF',
})

/** The waits that belong to one connection to a sliver: they end with it. */
const ofConnections = [
  'Slice.sh',
  'Slice.exec with input',
  'Sliver.exec',
  'Sliver.sh … orThrow',
  'Sliver.read',
]

async function release(name: string): Promise<void> {
  await (await other.slices.get(name)).release()
}

async function askAsOperator(route: string, init: RequestInit): Promise<unknown> {
  const { url, token } = testbed.operator
  const type = init.body === undefined ? {} : { 'content-type': 'application/json' }
  const headers = { authorization: `Bearer ${token}`, ...type }
  const answer = await fetch(url + route, { ...init, headers })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${route}: ${text}`)
  return text === '' ? null : JSON.parse(text)
}

describe('what waits', () => {
  it('ends when somebody else releases the slice, and the handles say so after that', async () => {
    const waits = await beginWaits('released')
    await release('released')
    expect(await waits.settled()).toEqual(cutOff('its slice was released or has expired'))
    const { slice } = waits
    const first = slice.sliver('n1')
    await expect(slice.started()).rejects.toMatchObject({ code: 'LAB_SLICE_GONE' })
    await expect(slice.refresh()).rejects.toMatchObject({ code: 'LAB_SLICE_GONE' })
    await expect(slice.renew()).rejects.toMatchObject({ code: 'LAB_SLICE_GONE' })
    expect((await first.exec('true')).error?.code).toBe('LAB_SLIVER_GONE')
    await expect(slice.upload({ x: '' }, '/tmp')).rejects.toThrow(/not there any more/u)
    await expect(first.download('/etc/hostname', testbed.home)).rejects.toThrow(
      /not there any more/u,
    )
    await expect(slice.run('more', { script: 'true' })).rejects.toThrow(/not there any more/u)
    await slice.release()
  })

  it('ends when a slice that has not started is released', async () => {
    const more = { template, nodes: ['n1', 'n2', 'n3'] }
    await testbed.control.node('n3', 'kill-agent')
    await testbed.control.node('n3', 'cut')
    const slice = await lab.slices.ensure('unstarted', more)
    const started = slice.started({ timeoutMs: 600_000 }).catch((error: unknown) => error)
    await eventually(async () => {
      const { slivers } = await other.slices.get('unstarted')
      expect(slivers.filter(({ state }) => state === 'started')).toHaveLength(2)
    })
    await release('unstarted')
    expect(await started).toMatchObject({ code: 'LAB_SLICE_GONE' })
    await testbed.control.node('n3', 'start')
    await testbed.nodeIs('n3', 'production')
  })

  it('goes on when the slice is renewed, and over a restart of the server where no connection was lost', async () => {
    const waits = await beginWaits('renewed')
    await (await other.slices.get('renewed')).renew()
    await waits.slice.refresh()
    expect((await waits.slice.sh`true`).ok).toBe(true)
    expect([...waits.ends]).toEqual([])
    await testbed.control.server('kill')
    await testbed.control.server('start')
    await eventually(() => expect([...waits.ends.keys()].sort()).toEqual([...ofConnections].sort()))
    expect((await waits.slice.sh`true`).ok).toBe(true)
    expect([...waits.ends.values()].every((end) => /LAB_COMMAND_(?:LOST|FAILED)/u.test(end))).toBe(
      true,
    )
    await release('renewed')
    const ended = await waits.settled()
    expect(ended['Run.rows']).toBe('LAB_RUN_CUT_OFF')
  })

  it('ends when somebody else has the slivers made again', async () => {
    const waits = await beginWaits('recreated')
    const changed = { template, nodes: ['n1', 'n2'], memoryMiB: 80, mayLose: 'slivers' } as const
    await (await other.slices.ensure('recreated', changed)).started()
    expect(await waits.settled()).toEqual(cutOff('its sliver ended'))
    await waits.slice.started()
    expect((await waits.slice.sh`true`).ok).toBe(true)
    await release('recreated')
  })

  it('ends when the token is revoked', async () => {
    const body = JSON.stringify({ name: 'soon-void', user: 'researcher' })
    const created = Value.Parse(
      TokenCreated,
      await askAsOperator(routes.tokens, { method: 'POST', body }),
    )
    const theirs = connect({ url: testbed.credentials.url, token: created.secret })
    const waits = await beginWaits('revoked', theirs)
    await askAsOperator(fillRoute(routes.token, { id: created.token.id }), { method: 'DELETE' })
    const ended = await waits.settled()
    for (const [call, end] of Object.entries(ended))
      expect(`${call}: ${end}`).toMatch(
        ofConnections.includes(call)
          ? /LAB_(?:COMMAND_LOST|COMMAND_FAILED)$/u
          : /LAB_AUTH_INVALID_TOKEN$/u,
      )
    await expect(waits.slice.refresh()).rejects.toMatchObject({ code: 'LAB_AUTH_INVALID_TOKEN' })
    await theirs.close()
  })

  it('ends when the server is restored from a copy that does not know the slice', async () => {
    const data = path.join(testbed.home, 'vct', 'server')
    const copy = await mkdtemp('/var/tmp/cl-gone-')
    await testbed.control.server('stop')
    await run('cp', ['-a', `${data}/.`, copy])
    await testbed.control.server('start')
    await testbed.settled()
    const waits = await beginWaits('forgotten')
    await testbed.control.server('stop')
    await run('rm', ['-r', data])
    await run('cp', ['-a', copy, data])
    await testbed.control.server('start')
    const ended = await waits.settled()
    for (const [call, end] of Object.entries(ended))
      expect(`${call}: ${end}`).toMatch(
        ofConnections.includes(call)
          ? /LAB_(?:COMMAND_LOST|COMMAND_FAILED)$/u
          : /LAB_(?:NOT_FOUND|RUN_CUT_OFF)$|its slice was released or has expired$/u,
      )
    // The server does not know our key any more either.
    const again = await lab.slices.ensure('forgotten', { template, nodes: ['n1', 'n2'] })
    await again.started()
    expect((await again.sh`true`.then((results) => results.orThrow())).ok).toBe(true)
    await release('forgotten')
    await rm(copy, { recursive: true })
  })

  it('ends for the slivers of a node that leaves the testbed', async () => {
    const waits = await beginWaits('node-less')
    const [node] = await lab.nodes.find({ name: 'n1' })
    await askAsOperator(fillRoute(routes.node, { id: node?.id ?? 0 }), { method: 'DELETE' })
    const ended = await waits.settled([
      'Slice.sh',
      'Slice.exec with input',
      'Run.done',
      'Run.done without a bound',
      'Run.done … orThrow',
      'Run.rows',
      'Run.rows().take',
    ])
    expect(ended).toMatchObject({
      'Sliver.exec': 'LAB_COMMAND_LOST',
      'Run.done of a measurement': 'its sliver was removed',
      'Run.rows of a measurement': 'LAB_RUN_CUT_OFF',
    })
    await expect(waits.slice.started()).rejects.toMatchObject({ code: 'LAB_SLICE_FAILED' })
  })
})
