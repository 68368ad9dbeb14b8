import { mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { LabError } from '@community-lab/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Lab } from '../../../kernel/src/lab.ts'
import type { Run } from '../../../kernel/src/run/run.ts'
import type { Slice } from '../../../kernel/src/sliver/slice.ts'
import { any, type Mistakes } from './mistakes/mistake.ts'
import { unchecked } from './mistakes/unchecked.ts'
import { unsendable } from './mistakes/unsendable.ts'
import { openLab } from './world/lab.ts'
import { startWorld, type World } from './world/testbed.ts'

// What a newcomer's cell may pass to the library where TypeScript does not check: values of type `any`.

let world: World
let lab: Lab
let slice: Slice
let run: Run
let dir: string

beforeAll(async () => {
  world = await startWorld(2)
  lab = openLab(world, 'right', path.join(world.dir, 'vct.sock'))
  slice = await lab.slices.get('first')
  run = await slice.run('mistakes', { script: 'true' })
  dir = await mkdtemp('/var/tmp/kernel-mistakes-')
})
afterAll(async () => {
  await lab.close()
  await world.close()
  await rm(dir, { recursive: true })
})

const rtt = { from: 'n1', to: 'n2', everyMs: 100, forMs: 1_000 }
const first = () => slice.sliver('n1')

const mistakes: Mistakes = {
  'no name for a slice': [
    () => lab.slices.ensure(any(undefined), { template: 'tiny', nodes: ['n1'] }),
    /name of the slice is undefined; expected a text/u,
  ],
  'no options for a slice': [
    () => lab.slices.ensure('x', any(undefined)),
    /options of ensure is undefined; expected an object/u,
  ],
  'no nodes': [
    () => lab.slices.ensure('x', any({ template: 'tiny' })),
    /^nodes is undefined; expected a list/u,
  ],
  'an empty list of nodes': [
    () => lab.slices.ensure('x', { template: 'tiny', nodes: [] }),
    /^nodes is \[\]; expected .* at least one/u,
  ],
  'a node twice': [
    () => lab.slices.ensure('x', { template: 'tiny', nodes: ['n1', 'n2', 'n1'] }),
    /^nodes is .* with n1 twice; expected each node once/u,
  ],
  'one node in place of a list': [
    () => lab.slices.ensure('x', any({ template: 'tiny', nodes: 'n1' })),
    /^nodes is "n1"; expected a list/u,
  ],
  'a promise in place of nodes': [
    () => lab.slices.ensure('x', any({ template: 'tiny', nodes: lab.nodes.find() })),
    /a promise, to be awaited first/u,
  ],
  'an item of nodes that is none': [
    () => lab.slices.ensure('x', any({ template: 'tiny', nodes: ['n1', undefined] })),
    /^nodes is \["n1",null\]/u,
  ],
  'no template': [() => lab.slices.ensure('x', any({ nodes: ['n1'] })), /^template is undefined/u],
  'memory that is no number': [
    () => lab.slices.ensure('x', { template: 'tiny', nodes: ['n1'], memoryMiB: Number.NaN }),
    /^memoryMiB is NaN; expected a whole number/u,
  ],
  'memory in words': [
    () => lab.slices.ensure('x', any({ template: 'tiny', nodes: ['n1'], memoryMiB: '64 MB' })),
    /^memoryMiB is "64 MB"/u,
  ],
  'an option that there is not': [
    () => lab.slices.ensure('x', any({ template: 'tiny', nodes: ['n1'], memory: 64 })),
    /one with the name "memory"; expected no others than template, nodes/u,
  ],
  'no name to get': [() => lab.slices.get(any(undefined)), /name of the slice is undefined/u],
  'a state that no node has': [
    () => lab.nodes.find({ state: any('productoin') }),
    /^state is "productoin"; expected .*production/u,
  ],
  'properties that are no texts': [
    () => lab.nodes.find({ properties: any({ floor: 3 }) }),
    /^properties is \{"floor":3\}/u,
  ],
  'a wait of NaN': [() => slice.started({ timeoutMs: Number.NaN }), /^timeoutMs is NaN/u],
  'a negative wait': [() => slice.started({ timeoutMs: -1 }), /^timeoutMs is -1/u],
  'a wait in words': [() => slice.started({ timeoutMs: any('5s') }), /^timeoutMs is "5s"/u],
  'a signal that is none': [
    () => slice.refresh({ signal: any(new AbortController()) }),
    /^signal is .*; expected an AbortSignal/u,
  ],
  'no sliver': [() => slice.sliver(any(undefined)), /sliver is undefined; expected/u],
  'no command': [() => first().exec(any(undefined)), /command is undefined/u],
  'a command that is empty': [() => first().exec('  '), /command is "  "; expected/u],
  'a vector of nothing': [() => first().exec([]), /command is \[\]/u],
  'an argument that is no text': [
    () => first().exec(any(['sleep', 5])),
    /command is \["sleep",5\]/u,
  ],
  'a command of 2 MiB': [
    () => first().exec(`echo ${'x'.repeat(2 * 1024 ** 2)}`),
    /2097157 bytes long; expected at most/u,
  ],
  'a time limit of NaN': [
    () => first().exec('true', { timeoutMs: Number.NaN }),
    /^timeoutMs is NaN/u,
  ],
  'a stream as input': [
    () => first().exec('cat', { input: any(Readable.from(['x'])) }),
    /^input is .*; expected a text or a Uint8Array/u,
  ],
  'a number as input': [() => first().exec('cat', { input: any(5) }), /^input is 5/u],
  'a folder that is no text': [() => first().exec('true', { cwd: any(5) }), /^cwd is 5/u],
  'a variable with =': [
    () => first().exec('true', { env: { 'A=B': 'c' } }),
    /variable's name is "A=B"/u,
  ],
  'a variable with NUL': [() => first().exec('true', { env: { A: 'b\0c' } }), /NUL/u],
  'a name of a variable with NUL': [
    () => first().exec('true', { env: { 'A\0': 'b' } }),
    /variable's name is/u,
  ],
  'a variable that is a number': [
    () => first().exec('true', { env: any({ A: 5 }) }),
    /^env is \{"A":5\}; expected .*texts/u,
  ],
  'a misspelt option of a command': [
    () => first().exec('true', any({ timeoutMS: 5 })),
    /"timeoutMS"; expected no others than/u,
  ],
  'a template with undefined': [
    () => first().sh`echo ${any(undefined)}`,
    /value 1 of the command is undefined/u,
  ],
  'a template with NaN': [() => first().sh`echo ${Number.NaN}`, /value 1 of the command is NaN/u],
  'an upload of nothing': [
    () => slice.upload(any(undefined), '/tmp'),
    /what to upload is undefined/u,
  ],
  'an upload of numbers': [
    () => slice.upload(any({ a: 5 }), '/tmp'),
    /what to upload is \{"a":5\}/u,
  ],
  'an upload to nowhere': [() => slice.upload({ a: '' }, any(undefined)), /folder .*is undefined/u],
  'a mode in words': [
    () => slice.upload({ a: '' }, '/tmp', { mode: any('755') }),
    /^mode is "755"/u,
  ],
  'a mode beyond modes': [
    () => slice.upload({ a: '' }, '/tmp', { mode: 755_000 }),
    /^mode is 755000/u,
  ],
  'an upload of /dev/zero': [
    () => slice.upload('/dev/zero', '/tmp'),
    /neither a file, a folder nor a link/u,
  ],
  'an upload of a path that is not there': [
    () => slice.upload(path.join(dir, 'none'), '/tmp'),
    /ENOENT/u,
  ],
  'a path of a file with NUL': [
    () => slice.upload({ 'a\0b': '' }, '/tmp'),
    /path of a file to upload is/u,
  ],
  'a download of nothing': [() => first().download(any(undefined), dir), /path .*is undefined/u],
  'a download to nowhere': [
    () => first().download('/etc/hostname', any(undefined)),
    /path .*is undefined/u,
  ],
  'a limit of NaN': [
    () => first().download('/etc/hostname', dir, { maxBytes: Number.NaN }),
    /^maxBytes is NaN/u,
  ],
  'a negative limit': [
    () => first().download('/etc/hostname', dir, { maxEntries: -1 }),
    /^maxEntries is -1/u,
  ],
  'a read of nothing': [() => first().read(any(undefined)), /path .*is undefined/u],
  'a run without a script': [() => slice.run('x', any({})), /^script is undefined/u],
  'a run without options': [() => slice.run('x', any(undefined)), /options of run is undefined/u],
  'a run’s name with a space': [
    () => slice.run('my run', { script: 'true' }),
    /run's name is "my run"/u,
  ],
  'a run’s name with umlauts': [
    () => slice.run('größe', { script: 'true' }),
    /run's name is "größe"/u,
  ],
  'a run’s name with emoji': [() => slice.run('🐱', { script: 'true' }), /run's name is "🐱"/u],
  'a run’s name of 65 characters': [
    () => slice.run('x'.repeat(65), { script: 'true' }),
    /at most 64/u,
  ],
  'a run without a name': [
    () => slice.run(any(undefined), { script: 'true' }),
    /run's name is undefined/u,
  ],
  'a run on no sliver': [() => slice.run('x', { script: 'true', on: [] }), /none for any sliver/u],
  'a run on what is no sliver': [
    () => slice.run('x', { script: 'true', on: any([undefined]) }),
    /sliver is undefined/u,
  ],
  'arguments that are objects': [
    () => slice.run('x', { script: 'true', args: any([{}]) }),
    /^args is \[\{\}\]/u,
  ],
  'programs that are no list': [
    () => slice.run('x', any({ programs: { script: 'true' } })),
    /^programs is .*; expected a list/u,
  ],
  'a measurement that there is not': [
    () => slice.measure(any('bandwidth'), any(rtt)),
    /measurement is "bandwidth"; expected rtt, one-way, capture, path, throughput/u,
  ],
  'probes every NaN ms': [
    () => slice.measure('rtt', { ...rtt, everyMs: Number.NaN }),
    /^everyMs is NaN/u,
  ],
  'probes for ever': [
    () => slice.measure('rtt', { ...rtt, forMs: Infinity }),
    /^forMs is Infinity/u,
  ],
  'probes without options': [
    () => slice.measure('rtt', any(undefined)),
    /options of measure is undefined/u,
  ],
  'a way from nowhere': [() => slice.traceroute(any(undefined), 'n2'), /sliver is undefined/u],
  'an upload of bytes, without a name': [
    () => slice.upload(any(Buffer.alloc(16 * 2 ** 20)), '/root'),
    /what to upload is a Uint8Array of 16777216 bytes/u,
  ],
  'an upload of a map': [
    () => slice.upload(any(new Map([['a', 'b']])), '/root'),
    /^what to upload is \{\}; expected/u,
  ],
  'an upload that was not awaited': [
    () => slice.upload(any(Promise.resolve({ a: 'b' })), '/root'),
    /what to upload is a promise, to be awaited first/u,
  ],
  'an environment in a map': [
    () => slice.exec('env', { env: any(new Map([['A', 'b']])) }),
    /^env is \{\}; expected an object/u,
  ],
  'an upload of a symbol': [
    () => slice.upload(any(Symbol('files')), '/root'),
    /what to upload is a symbol/u,
  ],
  'an upload of rows': [
    () => slice.upload(any([{ toJSON: () => undefined }]), any({ toJSON: () => undefined })),
    /what to upload is \[null\]/u,
  ],
  'a run without its programs': [
    () => slice.run('hello', any({ programs: undefined })),
    /^programs is undefined; expected a list/u,
  ],
  'health from a text': [
    () => lab.health({ from: any('yesterday') }),
    /^from is "yesterday"; expected a Date/u,
  ],
  'health from no time': [
    () => lab.health({ from: new Date('x') }),
    /^from is a Date that is no time/u,
  ],
  'health that ends before it begins': [
    () => lab.health({ from: new Date('2026-03-02'), to: new Date('2026-03-01') }),
    /^to is 2026-03-01T00:00:00.000Z; expected a time after from, 2026-03-02T00:00:00.000Z/u,
  ],
}

const all: Mistakes = { ...mistakes, ...unsendable, ...unchecked }

const isLabError = (error: unknown): boolean => LabError.is(error, 'LAB_ARGUMENT_INVALID')

describe('a mistake', () => {
  it.each(Object.keys(all))(
    'of a newcomer is reported before anything is sent: %s',
    async (name) => {
      const [call, says] = all[name] ?? [() => null, /^$/u]
      const tunnels = world.tunnels
      const failed = await Promise.resolve()
        .then(() => call({ lab, slice, run, dir, first, virtual: () => lab.virtual() }))
        .then(
          () => new Error('it went through'),
          (error: unknown) => error,
        )
      expect(String(failed instanceof Error ? failed.message : failed)).toMatch(says)
      expect(isLabError(failed)).toBe(true)
      expect(world.tunnels).toBe(tunnels)
    },
  )

  it('in a count of rows does not wait for ever', async () => {
    const one = await slice.run('count', { script: 'true' })
    for (const count of [Number.NaN, -1, 1.5, any('3')])
      await expect(one.rows('x').take(count)).rejects.toMatchObject({
        code: 'LAB_ARGUMENT_INVALID',
      })
    expect(() => one.rows(any(undefined))).toThrow(/measurement is undefined/u)
    await one.done()
  })
})
