import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { writeDocument } from '../../../../agent/src/disk/document.ts'
import { systemClock } from '../../../../agent/src/loop/clock.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { createNodeProblems } from '../../../../agent/src/report/problems.ts'
import { openRuns } from '../../../../agent/src/run/node-runs.ts'
import { runRecordFormat } from '../../../../agent/src/run/record.ts'
import { FakeSlivers } from '../../../support/fake-slivers.ts'
import { aRun, aTarget } from './world.ts'

const ended = 'begun 1000000\nended 2000000 0 - exited 3 0 1\n'

it('a run whose output cannot be read keeps neither the output nor the end of another one back', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cl-runs-'))
  const [broken, whole] = [aRun({ program: {} }), aRun({ program: {} })]
  for (const { id, sliver } of [broken, whole]) {
    await mkdir(join(dir, 'runs', id), { recursive: true })
    const record = { id, sliver, recordedMs: 0, cgroup: null, closed: null, isSent: false }
    const path = join(dir, 'runs', id, 'run.json')
    await writeDocument(path, runRecordFormat, { ...record, outputBytes: 0 })
    await writeFile(join(dir, 'runs', id, 'state'), ended)
  }
  await mkdir(join(dir, 'runs', broken.id, 'output'))
  await writeFile(join(dir, 'runs', whole.id, 'output'), 'yes')
  const spool = await openSpool(join(dir, 'spool'))
  const problems = createNodeProblems()
  let changes = 0
  const runs = await openRuns({
    dir: join(dir, 'runs'),
    slivers: new FakeSlivers(),
    spool,
    measureDir: () => dir,
    problems,
    clock: systemClock,
    dateMs: Date.now,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    onChange: () => changes++,
  })
  const stop = new AbortController()
  runs.setTarget(aTarget([], [broken, whole]))
  const running = runs.run(stop.signal).catch(() => undefined)
  try {
    await expect
      .poll(() => spool.read(1, 10).map(({ fields }) => [fields['run'], fields['text']]))
      .toEqual([[whole.id, 'yes']])
    await expect.poll(() => changes).toBeGreaterThan(0)
    expect(problems.list().map(({ message }) => message)).toEqual([
      expect.stringContaining(`run ${broken.id}: EISDIR`),
    ])
  } finally {
    stop.abort()
    await running
    await spool.close()
    await rm(dir, { recursive: true })
  }
})
