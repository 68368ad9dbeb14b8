import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bool,
  count,
  optional,
  point,
  runEndMeasurement,
  runOutputMeasurement,
  text,
  type Run,
} from '@community-lab/contract'
import type { Bundle } from '../../../../kernel/src/display/bundle.ts'
import { takeCredentials } from '../../../../kernel/src/credentials/credentials.ts'
import { ensureSshKey } from '../../../../kernel/src/credentials/ssh-key.ts'
import type { Lab } from '../../../../kernel/src/lab.ts'
import { SampleDatabase } from '../../../../kernel/src/run/database.ts'
import type { Outcomes } from '../../../../kernel/src/run/outcome.ts'
import { RunState } from '../../../../kernel/src/run/run-state.ts'
import { waitForRun } from '../../../../kernel/src/run/wait-for-run.ts'
import { openSession } from '../../../../kernel/src/session.ts'
import { openLab } from '../world/lab.ts'
import { aRun } from '../world/runs.ts'
import { startWorld, type World } from '../world/testbed.ts'

let world: World
let lab: Lab
beforeAll(async () => {
  world = await startWorld(2)
  lab = openLab(world)
})
afterAll(async () => {
  await lab.close()
  await world.close()
})

function start(name: string): Run {
  const run = aRun(name)
  world.runs.set(run.id, run)
  return run
}

describe('a run of the testbed', () => {
  it.each(['rows', 'done'] as const)(
    'that is removed with its slice ends %s: it was cut off',
    async (call) => {
      const { id, name } = start(call)
      const run = await lab.runs.get(name)
      const end =
        call === 'done'
          ? run.done().then((outcomes) => outcomes.orThrow())
          : run.rows('tick').take(1)
      const failed = expect(end).rejects.toThrow(
        `run ${name} was cut off on n1 (its slice was released or has expired)`,
      )
      world.runs.delete(id)
      world.breakStreams()
      await failed
      await expect(run.output()).rejects.toMatchObject({ code: 'LAB_RUN_GONE' })
      await run.cancel()
    },
  )

  it('whose events do not have its parts is read once after many of them', async () => {
    const object = start('large')
    const run = await lab.runs.get('large')
    object.parts = object.parts.map((part) => ({ ...part, message: 'read' }))
    const done = run.done()
    // It reads the run when it is connected.
    await expect.poll(() => run.parts[0]?.message).toBe('read')
    const { parts, ...short } = object
    const event = { kind: 'run', action: 'updated', object_id: object.id, object: short }
    for (let times = 0; times < 100; times++) world.tell(event)
    object.parts = parts.map((part) => ({ ...part, state: 'ended', reason: 'lost' }))
    object.ended_on = '2026-05-04T12:01:00Z'
    world.tell(event)
    expect((await done).map(({ reason }) => reason)).toEqual(['lost'])
  })

  it('that is not on a sliver says where it is, also where its slice has that sliver', async () => {
    start('onOne')
    const run = await lab.runs.get('onOne')
    const node = (await lab.nodes.find()).find(({ name }) => name === 'n2')
    const slice = await lab.slices.ensure('first', { template: 'tiny', nodes: ['n1', 'n2'] })
    for (const [which, found] of [
      ['n2', 'n2'],
      [node ?? '', 'n2'],
      [slice.sliver('n2'), slice.sliver('n2').id],
    ] as const)
      await expect(run.output(which)).rejects.toMatchObject({
        message: `which is ${JSON.stringify(found)}; expected a sliver or node that run onOne is on: n1`,
      })
  })

  it('takes only variables that a shell can have', async () => {
    const slice = await lab.slices.ensure('first', { template: 'tiny', nodes: ['n1', 'n2'] })
    const programs = [{ script: 'true', env: { 'a-b': 'x' } }]
    await expect(slice.run({ name: 'one', programs })).rejects.toThrow(
      'letters, digits and underscores',
    )
  })

  it('has the rows of a point, all of them also when its end comes first, its table, and its picture', async () => {
    const slice = await lab.slices.ensure('first', { template: 'tiny', nodes: ['n1', 'n2'] })
    const tick = point('tick', { nr: count('from 1 on'), up: bool(), note: optional(text()) })
    const script =
      'for i in 1 2 3; do echo "tick nr=$i up=true run=$COMMUNITY_LAB_RUN" > /run/community-lab/measure; done; echo said'
    const started = await slice.run({
      name: 'ticks',
      programs: [{ script, on: 'n1' }],
      points: [tick],
    })
    const shown: unknown[] = []
    const update = (bundle: Bundle) => shown.push(bundle['text/plain'])
    Reflect.set(globalThis, Symbol.for('community-lab.display'), {
      display: update,
      newDisplay: () => ({ update }),
    })
    try {
      const summary = (rows: readonly { readonly nr: number }[]) => `${rows.length} rows`
      await started.live(tick, summary)
      expect(shown).toContain('3 rows')
      await started.live((rows) => `at last ${rows.length}`)
      expect(shown.at(-1)).toBe('at last 3')
    } finally {
      Reflect.deleteProperty(globalThis, Symbol.for('community-lab.display'))
    }
    // Another kernel would get the same run by its name.
    const run = await lab.runs.get('ticks')
    expect(run.points).toEqual([tick])
    const rows = await run.rows(tick).toArray()
    expect(rows.map(({ nr, up, note }) => [nr, up, note])).toEqual([
      [1, true, null],
      [2, true, null],
      [3, true, null],
    ])
    const types = await run.sql<{ column_name: string; column_type: string }>`describe tick`
    const typeOf = new Map(types.map((each) => [each.column_name, each.column_type]))
    expect([typeOf.get('nr'), typeOf.get('up'), typeOf.get('note')]).toEqual([
      'BIGINT',
      'BOOLEAN',
      'VARCHAR',
    ])
    await expect(run.live('tick', 'no function' as never)).rejects.toThrow('expected a function')
    expect(() => run.rows(5 as never)).toThrow('the measurement is 5')
  })

  it('has the files that its programs keep, on this machine too, and says which it has not', async () => {
    const slice = await lab.slices.ensure('first', { template: 'tiny', nodes: ['n1', 'n2'] })
    const sha256 = createHash('sha256').update('abcdef').digest('hex')
    // What a node sends.
    const script = `say() { echo "$@" > /run/community-lab/measure; }
      for nr in 0 1; do say "run_file_part run=\\"$COMMUNITY_LAB_RUN/$COMMUNITY_LAB_SLIVER/0\\" at_byte=$((nr * 3)) text=\\"$1\\""; shift; done
      say "run_file run=\\"$COMMUNITY_LAB_RUN\\" file=0 path=\\"out/a.csv\\" bytes=6 sha256=\\"${sha256}\\""
      say "run_file run=\\"$COMMUNITY_LAB_RUN\\" file=1 path=\\"big\\" problem=\\"it is too large\\""`
    const keep = ['out/*.csv', 'big']
    const started = await slice.run({
      name: 'files',
      programs: [
        { script, on: 'n1', args: ['abc', 'def'], keep },
        { script, on: 'n2', args: ['abc', 'xxx'], keep },
      ],
    })
    const outcomes = await started.done()
    expect(outcomes.ok).toBe(false)
    expect(outcomes[0]?.missingFiles).toEqual([{ path: 'big', problem: 'it is too large' }])
    const run = await lab.runs.get('files')
    expect((await run.files()).map(({ node, path: of, problem }) => [node, of, problem])).toEqual([
      ['n1', 'out/a.csv', null],
      ['n1', 'big', 'it is too large'],
      ['n2', 'out/a.csv', null],
      ['n2', 'big', 'it is too large'],
    ])
    expect((await run.file('out/a.csv', { sliver: 'n1' })).toString()).toBe('abcdef')
    const to = path.join(world.dir, 'deep', 'a.csv')
    expect(await run.file('out/a.csv', { sliver: slice.sliver('n1'), to })).toBe(to)
    expect(await readFile(to, 'utf8')).toBe('abcdef')
    for (const [file, sliver, message] of [
      ['out/a.csv', undefined, 'expected one of those that have out/a.csv: n1, n2'],
      ['out/a.csv', 'n2', 'the server has 6 of its 6 bytes'],
      ['big', 'n1', 'run files has no file "big" of n1: it is too large (its files: out/a.csv)'],
      ['none', 'n1', 'the run does not keep it'],
      ['', 'n1', 'the path of the file'],
    ] as const)
      await expect(run.file(file, sliver === undefined ? {} : { sliver })).rejects.toThrow(message)
    await expect(run.file('out/a.csv', { sliver: 'n1', to: world.dir })).rejects.toMatchObject({
      code: 'LAB_ARGUMENT_INVALID',
      message: `to is ${JSON.stringify(world.dir)}, which is a folder; expected a file, such as ${JSON.stringify(path.join(world.dir, 'a.csv'))}`,
    })
    for (const wrong of ['/etc/passwd', '../x', './x', 'a/../b', 'a//b', '', 'a/', '**/*.csv'])
      await expect(slice.run({ name: 'no', script: 'true', keep: [wrong] })).rejects.toThrow(
        /^keep is .* does not begin with \/ or \.\/, and has no \.\., \/\/ or \*\*/u,
      )
    const many = Array.from({ length: 17 }, (_, nr) => `${nr}.csv`)
    await expect(slice.run({ name: 'no', script: 'true', keep: many })).rejects.toThrow(
      /^keep is .*at most 16/u,
    )
    // The contents are no table of the run.
    expect((await run.sql`show tables`).map(({ name }) => name)).not.toContain('run_file_part')
  })

  it('says where a program has told why it ended with an exit code', async () => {
    const slice = await lab.slices.ensure('first', { template: 'tiny', nodes: ['n1', 'n2'] })
    const shown: unknown[] = []
    Reflect.set(globalThis, Symbol.for('community-lab.display'), {
      display: ({ 'text/plain': text }: Bundle) => shown.push(text),
      newDisplay: () => ({ update: () => undefined }),
    })
    try {
      const run = await slice.run('no-curl', { script: 'echo there is no curl; exit 127' })
      await run.done()
      const silent = await slice.run('silent', { script: 'exit 1' })
      await silent.done()
    } finally {
      Reflect.deleteProperty(globalThis, Symbol.for('community-lab.display'))
    }
    expect(shown).toEqual([
      "run no-curl: exit code 127 on n1, n2; what the program said: await run.output('n1')",
    ])
  })

  it('says when rows are asked for that it does not declare', async () => {
    const run = await lab.runs.get('ticks')
    const shown: unknown[] = []
    const display = ({ 'text/plain': text }: Bundle) => shown.push(text)
    Reflect.set(globalThis, Symbol.for('community-lab.display'), {
      display,
      newDisplay: () => ({}),
    })
    try {
      expect(await run.rows('ticks').toArray()).toEqual([])
      expect(await run.rows('quite_other').toArray()).toEqual([])
      await run.rows('tick').toArray()
    } finally {
      Reflect.deleteProperty(globalThis, Symbol.for('community-lab.display'))
    }
    expect(shown).toEqual([
      'run ticks: no point ticks is declared; did you mean tick? Its rows are waited for, in case a program writes them',
      'run ticks: no point quite_other is declared; it has tick. Its rows are waited for, in case a program writes them',
    ])
  })

  it('is not waited for where the server has removed what would come: the slice keeps no more', async () => {
    const old = start('old')
    const [part] = old.parts
    const end = { ended_on: '2026-05-04T12:10:00Z', has_end_row: true, output_bytes: 5 }
    Object.assign(part ?? {}, { state: 'ended', reason: 'exited', exit_code: 0, ...end })
    old.ended_on = '2026-05-04T12:10:00Z'
    for (const name of [runEndMeasurement, runOutputMeasurement])
      world.removed.set(name, '2026-05-05T00:00:00Z')
    try {
      const run = await lab.runs.get('old')
      const outcomes = await run.done()
      expect(outcomes.map(({ isComplete }) => isComplete)).toEqual([true])
      expect(outcomes.removed.map(({ name }) => name).sort()).toEqual([
        runEndMeasurement,
        runOutputMeasurement,
      ])
      expect(await run.output()).toMatchObject([{ text: '', isWhole: false }])
    } finally {
      world.removed.clear()
    }
  })

  it('gives up a node that is off once it was silent for a while, names it, and can be waited for again', async () => {
    const silent = start('silent')
    const part = silent.parts[0]
    if (part === undefined) throw new Error('it has a part')
    const other = { ...part, node: { ...part.node, id: 2, name: 'n2' } }
    silent.parts.push({ ...other, sliver: { uri: '/api/slivers/1@2/', id: '1@2' } })
    Object.assign(part, { state: 'ended', reason: 'exited', exit_code: 0 })
    world.nodeStates.set('n2', 'offline')
    const key = ensureSshKey(path.join(world.dir, 'keys'))
    const session = openSession(takeCredentials({ url: world.url, token: 'right' }), key)
    const state = new RunState(session, silent)
    const database = new SampleDatabase(session, { scope: state.scope, run: silent.id })
    const patience = { lookMs: 20, silentMs: 100 }
    const { signal } = session
    const wait = (timeoutMs?: number) =>
      waitForRun(session, state, { timeoutMs, database, patience, signal })
    const states = (outcomes: Outcomes) => outcomes.map((one) => [one.isComplete, one.silence])
    expect(states(await wait())).toEqual([
      [true, null],
      [false, 'its node is offline'],
    ])
    // A wait with a limit waits that long, because the node may come back.
    const limited = await wait(300)
    expect(() => limited.orThrow()).toThrow(
      'run silent has not ended within 300 ms on n2 (its node is offline)',
    )
    world.nodeStates.clear()
    Object.assign(silent.parts[1] ?? {}, { state: 'ended', reason: 'exited', exit_code: 0 })
    silent.ended_on = new Date().toISOString()
    expect((await wait()).ok).toBe(true)
    await session.close()
  })
})
