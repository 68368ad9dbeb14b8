import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { takeCredentials } from '../../../../kernel/src/credentials/credentials.ts'
import { ensureSshKey } from '../../../../kernel/src/credentials/ssh-key.ts'
import type { Bundle } from '../../../../kernel/src/display/bundle.ts'
import { Lab } from '../../../../kernel/src/lab.ts'
import { Run } from '../../../../kernel/src/run/run.ts'
import { openSession, type Session } from '../../../../kernel/src/session.ts'
import type { Slice } from '../../../../kernel/src/sliver/slice.ts'
import { startWorld, type World } from '../world/testbed.ts'

const displaySymbol = Symbol.for('community-lab.display')

let world: World
let session: Session
let lab: Lab
let slice: Slice
/** The node that the server reports as offline. */
let offline: string | null = null
let shown: string[] = []
let count = 0

/** Return the server's documents with a node offline. */
function withOffline(document: unknown): unknown {
  if (!Array.isArray(document)) return document
  return document.map((item: unknown) =>
    typeof item === 'object' && item !== null && Reflect.get(item, 'name') === offline
      ? { ...item, state: 'offline' }
      : item,
  )
}

beforeAll(async () => {
  world = await startWorld(2, withOffline)
  const key = ensureSshKey(path.join(world.dir, 'keys'))
  session = openSession(takeCredentials({ url: world.url, token: 'right' }), key)
  lab = new Lab(session, key)
  slice = await lab.slices.get('first')
})
afterAll(async () => {
  await lab.close()
  await world.close()
})

const show = (bundle: Bundle): void => void shown.push(String(bundle['text/plain']))
beforeEach(() => {
  shown = []
  const display = { display: show, newDisplay: () => ({ update: show }) }
  Reflect.set(globalThis, displaySymbol, display)
})
afterEach(() => {
  Reflect.deleteProperty(globalThis, displaySymbol)
  offline = null
})

/** A run on both slivers whose wait gives up soon. */
function aRun(startedS = Math.floor(Date.now() / 1000)): Run {
  const parts = slice.slivers.map((sliver) => {
    const known = world.objects.find(({ id }) => id === sliver.id)
    return { sliver, startedS, sliverStartedOn: known?.actual?.started_on ?? null }
  })
  const patience = { lookMs: 20, silentMs: 100, lastSamplesMs: 100 }
  return new Run(session, { id: `silent-${++count}`, slice, parts, expectedMs: null, patience })
}

async function end(run: Run, node: string): Promise<void> {
  const line = `run_end run="${run.id}" exit_code=0`
  ;(await slice.sliver(node).sh`echo ${line} > /run/community-lab/measure`).orThrow()
}

it('gives up a node that is off once the others have ended, names it, and can wait for it again', async () => {
  const run = aRun()
  offline = 'n2'
  await end(run, 'n1')
  const outcomes = await run.done()
  expect(outcomes.map(({ state, silence }) => [state, silence])).toEqual([
    ['ended', null],
    ['unfinished', 'its node is offline'],
  ])
  expect(() => outcomes.orThrow()).toThrow(/n2 \(its node is offline\)/u)
  expect(shown).toContain(`run ${run.id}: 1 of 2 have ended; waiting for n2 (its node is offline)`)
  expect(shown.at(-1)).toContain('n2 has not reported its end: its node is offline; samples may be')
  offline = null
  await end(run, 'n2')
  expect((await run.done()).ok).toBe(true)
})

it('waits for the others, however long a node is off', async () => {
  const run = aRun()
  offline = 'n2'
  let isDone = false
  const waiting = run.done().then((outcomes) => {
    isDone = true
    return outcomes
  })
  // A wait with a limit checks the nodes too, but does not end because of them.
  expect((await run.done({ timeoutMs: 400 })).map(({ state }) => state)).toEqual([
    'unfinished',
    'unfinished',
  ])
  expect(isDone).toBe(false)
  await end(run, 'n1')
  expect((await waiting).map(({ state }) => state)).toEqual(['ended', 'unfinished'])
})

it('waits for a sliver whose node set its clock back after the start', async () => {
  const actual = world.objects[1]?.actual
  if (actual == null) throw new Error('it has started')
  world.change(1, {
    actual: { ...actual, started_on: new Date(Date.now() + 3_600_000).toISOString() },
  })
  const run = aRun()
  const outcomes = await run.done({ timeoutMs: 400 })
  expect(outcomes.map(({ silence }) => silence)).toEqual([null, null])
  await end(run, 'n1')
  await end(run, 'n2')
  expect((await run.done()).ok).toBe(true)
  world.change(1, { actual })
})

it.each([
  // The start of a run is known as a whole second, so this one may be in the same.
  ['in the second of the run’s start', 50],
  ['by a clock that was set back', -10 * 365 * 86_400_000],
])(
  'reports a sliver that was started again %s: its program ended with the old one',
  async (_, afterMs) => {
    const run = aRun()
    await end(run, 'n1')
    const actual = world.objects[1]?.actual
    if (actual == null) throw new Error('it has started')
    const startedOn = new Date(Date.now() + afterMs).toISOString()
    world.change(1, { actual: { ...actual, started_on: startedOn } })
    const [, other] = await run.done()
    expect(other?.silence).toBe(`its sliver was started again at ${startedOn}`)
    world.change(1, { actual })
  },
)
