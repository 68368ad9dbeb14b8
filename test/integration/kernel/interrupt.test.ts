import { mkdtemp, rm } from 'node:fs/promises'
import { subscribe } from 'node:diagnostics_channel'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Bundle } from '../../../kernel/src/display/bundle.ts'
import { takeCredentials } from '../../../kernel/src/credentials/credentials.ts'
import { ensureSshKey } from '../../../kernel/src/credentials/ssh-key.ts'
import { Lab } from '../../../kernel/src/lab.ts'
import { HealthSamples } from '../../../kernel/src/run/health.ts'
import { Run } from '../../../kernel/src/run/run.ts'
import { openSession } from '../../../kernel/src/session.ts'
import { Groups } from '../../../kernel/src/sliver/groups.ts'
import { Nodes } from '../../../kernel/src/sliver/node.ts'
import { Slice } from '../../../kernel/src/sliver/slice.ts'
import { Slices } from '../../../kernel/src/sliver/slices.ts'
import { Sliver } from '../../../kernel/src/sliver/sliver.ts'
import { VirtualTestbed } from '../../../kernel/src/virtual.ts'
import { startWorld, type World } from './world/testbed.ts'
import { eventually } from '../../support/eventually.ts'

// The Jupyter kernel delivers an interrupt by the signal of the running cell.

const symbol = Symbol.for('community-lab.interrupt')
let world: World
let lab: Lab
let slice: Slice
let run: Run
let dir: string
let hung: ReturnType<typeof createServer>

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kernel-interrupt-'))
  // The socket of a virtual testbed that accepts requests and never answers.
  hung = createServer(() => undefined).listen(path.join(dir, 'vct.sock'))
  await once(hung, 'listening')
  world = await startWorld(2)
  const key = ensureSshKey(path.join(world.dir, 'keys'))
  const credentials = takeCredentials({
    url: world.url,
    token: 'right',
    vct_socket: path.join(dir, 'vct.sock'),
  })
  lab = new Lab(openSession(credentials, key), key)
  slice = await lab.slices.get('first')
  run = await slice.run('first', { script: 'sleep 300' })
})
afterAll(async () => {
  world.hang(false)
  await lab.close()
  await world.close()
  hung.closeAllConnections()
  hung.close()
  await rm(dir, { recursive: true })
})
afterEach(() => void Reflect.deleteProperty(globalThis, symbol))

function beginCell(): AbortController {
  const cell = new AbortController()
  Object.defineProperty(globalThis, symbol, { value: cell.signal, configurable: true })
  return cell
}

const isReached = async (): Promise<void> => expect((await slice.sh`true`).ok).toBe(true)

/** Every public call that can wait, called in a way that makes it wait. */
const calls: Readonly<Record<string, () => Promise<unknown>>> = {
  'Nodes.find': () => lab.nodes.find(),
  'Nodes.history': () => lab.nodes.history('n1'),
  'Nodes.availability': () => lab.nodes.availability('n1'),
  'Slices.ensure': () => lab.slices.ensure('first', { template: 'tiny', nodes: ['n1', 'n2'] }),
  'Slices.get': () => lab.slices.get('first'),
  'Slices.list': () => lab.slices.list(),
  'Slices.mine': () => lab.slices.mine(),
  'Slices.journal': () => lab.slices.journal(),
  'Groups.list': () => lab.groups.list(),
  'Groups.mine': () => lab.groups.mine(),
  'Groups.get': () => lab.groups.get('red'),
  'Slice.refresh': () => slice.refresh(),
  'Slice.started': () => slice.started(),
  'Slice.renew': () => slice.renew(),
  'Slice.reset': () => slice.reset(),
  'Slice.release': () => slice.release(),
  'Slice.sh': () => slice.sh`sleep 300`,
  'Slice.exec': () => slice.exec('sleep 300'),
  'Slice.upload': () => slice.upload({ x: '' }, '/tmp/waits'),
  'Slice.download': () => slice.download('/tmp/waits/x', dir),
  'Slice.run': () => slice.run('other', { script: 'sleep 303' }),
  'Slice.measure': () =>
    slice.measure('rtt', { from: 'n1', to: 'n2', everyMs: 1_000, forMs: 60_000 }),
  'Slice.traceroute': () => slice.traceroute('n1', 'n2'),
  'Sliver.sh': () => slice.sliver('n1').sh`sleep 300`,
  'Sliver.exec': () => slice.sliver('n1').exec('sleep 300'),
  'Sliver.read': () => slice.sliver('n1').read('/tmp/waits/x'),
  'Sliver.download': () => slice.sliver('n1').download('/tmp/waits/x', path.join(dir, 'x')),
  'Run.done': () => run.done(),
  'Run.rows': () => run.rows('never').take(1),
  'Run.live': () => run.live('never', () => 'nothing'),
  'Run.sql': () => run.sql`select 1`,
  'Run.parquet': () => run.parquet('never', path.join(dir, 'never.parquet')),
  'Run.export': () => run.export(path.join(dir, 'export')),
  'Run.refresh': () => run.refresh(),
  'Run.output': () => run.output(),
  'Run.files': () => run.files(),
  'Run.file': () => run.file('capture.pcap'),
  'Run.cancel': () => run.cancel(),
  'HealthSamples.sql': async () => (await lab.health()).sql`select 1`,
  'HealthSamples.rows': async () => (await lab.health()).rows('never').take(1),
  'HealthSamples.tables': async () => (await lab.health()).tables(),
  'HealthSamples.parquet': async () =>
    (await lab.health()).parquet('never', path.join(dir, 'never.parquet')),
  'HealthSamples.export': async () => (await lab.health()).export(path.join(dir, 'export')),
  'VirtualTestbed.status': () => lab.virtual().status(),
  'VirtualTestbed.cutLink': () => lab.virtual().cutLink('n1', 'n2'),
  'VirtualTestbed.restoreLink': () => lab.virtual().restoreLink('n1', 'n2'),
  'VirtualTestbed.node': () => lab.virtual().node('n1', 'stop'),
  'VirtualTestbed.setClock': () => lab.virtual().setClock('n1', { aheadS: 20 }),
  'VirtualTestbed.server': () => lab.virtual().server('stop'),
}
/** Calls that do not wait, or that end what they belong to. */
const others = new Set([
  ...['Lab.health', 'Lab.virtual', 'Lab.close', 'Slice.sliver', 'Run.close', 'Run.context'],
  'HealthSamples.close',
])

describe('an interrupt', () => {
  it('is tested for every call of the public handles', () => {
    const handles = {
      Lab,
      Nodes,
      Groups,
      Slices,
      Slice,
      Sliver,
      Run,
      HealthSamples,
      VirtualTestbed,
    }
    const methods = Object.entries(handles).flatMap(([name, { prototype }]) =>
      Object.entries(Object.getOwnPropertyDescriptors(prototype))
        .filter(([method, { value }]) => method !== 'constructor' && typeof value === 'function')
        .map(([method]) => `${name}.${method}`),
    )
    expect([...Object.keys(calls), ...others].sort()).toEqual(methods.sort())
  })

  it.each(Object.keys(calls))(
    'ends the waiting of %s at once, and the call works afterwards',
    async (name) => {
      await slice.upload({ x: '' }, '/tmp/waits')
      // All other calls wait for a server or a sliver that does not answer.
      const waitsByItself = /\.(sh|exec)$|^Run\.(done|rows|live)/u.test(name)
      const asksSliver = /^(Slice|Sliver)\.(upload|download|read|traceroute)/u.test(name)
      if (asksSliver) world.breakTunnels()
      if (asksSliver) await eventually(isReached)
      if (asksSliver) world.breakTunnels()
      if (!waitsByItself) world.hang(true)
      const cell = beginCell()
      const call = calls[name]?.() ?? Promise.reject(new Error('no such call'))
      const settled = call.then(
        () => 'done',
        (error: unknown) => (error instanceof Error ? error.name : String(error)),
      )
      await new Promise((resolve) => setImmediate(resolve))
      cell.abort()
      expect(await settled).toBe('AbortError')
      world.hang(false)
      Reflect.deleteProperty(globalThis, symbol)
      // The server has seen the request, also when nobody waited for its answer.
      if (name === 'Slice.reset') world.remake(2)
      await eventually(isReached)
      if (/\.(reset|release)$/u.test(name)) await slice.refresh()
      expect((await lab.nodes.find()).length).toBe(2)
      expect((await run.done({ timeoutMs: 10 })).map(({ sliver }) => sliver)).toEqual([
        '1@1',
        '1@2',
      ])
    },
  )

  it('of a call that starts a run cancels what this call has started, and no run that was there before', async () => {
    const shown: unknown[] = []
    const display = Symbol.for('community-lab.display')
    const show = (bundle: Bundle) => void shown.push(bundle['text/plain'])
    Reflect.set(globalThis, display, { display: show, newDisplay: () => ({ update: show }) })
    const interrupted = async (name: string): Promise<void> => {
      world.hang(true)
      // Source: undici, diagnostics channels.
      const sent = new Promise((resolve) => subscribe('undici:client:sendHeaders', resolve))
      const cell = beginCell()
      const starting = slice.run(name, { script: 'sleep 304' })
      await sent
      cell.abort()
      // The server answers the request nevertheless, too late.
      world.hang(false)
      await expect(starting).rejects.toThrow(/abort/u)
      Reflect.deleteProperty(globalThis, symbol)
    }
    try {
      await interrupted('new')
      const made = await lab.runs.get('new')
      expect((await made.done()).map(({ reason }) => reason)).toEqual(['cancelled', 'cancelled'])
      await slice.run('old', { script: 'sleep 304' })
      await interrupted('old')
      const old = await lab.runs.get('old')
      expect(old.parts.map(({ state }) => state)).toEqual(['running', 'running'])
      const cell = beginCell()
      const waiting = old.done()
      cell.abort()
      await expect(waiting).rejects.toThrow(/abort/u)
      expect(shown).toEqual([
        expect.stringContaining('run new: the call was interrupted; it was cancelled'),
        expect.stringContaining('run old: the call was interrupted; it was started before, and'),
        expect.stringContaining('run old goes on, only the waiting for it was ended'),
      ])
      expect(shown.every((text) => String(text).includes('await lab.runs.get('))).toBe(true)
      await old.cancel()
    } finally {
      Reflect.deleteProperty(globalThis, display)
    }
  })

  it('lets a cell clean up', async () => {
    const before = world.releases
    const cell = beginCell()
    const work = async (): Promise<void> => {
      try {
        await slice.sh`sleep 300`
      } finally {
        await slice.sh`echo cleaned > /tmp/cleaned`
        await slice.release()
      }
    }
    const working = work()
    setImmediate(() => cell.abort())
    await expect(working).rejects.toThrow(/abort/u)
    expect(world.releases).toBe(before + 1)
    Reflect.deleteProperty(globalThis, symbol)
    await slice.refresh()
    expect((await slice.sh`cat /tmp/cleaned`).ok).toBe(true)
  })

  it('does not stop the release of a slice in a cell that was interrupted while it waited', async () => {
    const before = world.releases
    beginCell().abort()
    await slice.release()
    expect(world.releases).toBe(before + 1)
    await expect(slice.refresh()).rejects.toThrow(/abort/u)
    Reflect.deleteProperty(globalThis, symbol)
    await slice.refresh()
  })
})
