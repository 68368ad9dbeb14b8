import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { filePartsOf, LabError, toProblem, type Run } from '@community-lab/contract'
import { beforeEach, expect, it } from 'vitest'
import { aRun } from '../kernel/world/runs.ts'
import { useFakes } from './world/fakes.ts'

const fakes = useFakes()
const slices = [1, 2].map((id) => {
  const group = { uri: '/api/groups/1/', id: 1 }
  return {
    ...{ uri: `/api/slices/${id}/`, id, name: `s${id}`, description: '', group },
    ...{ expires_on: '2030-01-01T00:00:00Z', instance_sn: 0, properties: {}, set_state: 'start' },
    ...{ created_on: '2026-01-01T00:00:00Z', slivers: [], sliver_defaults: noDefaults() },
  }
})
function noDefaults() {
  return { template: null, set_state: 'start', instance_sn: 0, resources: [] }
}

const [first] = aRun('ticks').parts
const parts = [1, 2].map((id) => ({
  ...(first ?? aRun('none').parts[0]),
  sliver: { uri: `/api/slivers/1@${id}/`, id: `1@${id}` },
  node: { uri: `/api/nodes/${id}/`, id, name: `n${id}` },
}))
const ended = { state: 'ended', exit_code: 3, reason: 'exited', output_bytes: 4, lost_bytes: 7 }
const ticks = { ...aRun('ticks'), parts: [{ ...parts[0], ...ended }, parts[1]] } as Run
const rows = new Map<string, readonly object[]>()
let runs: readonly Run[] = []

beforeEach(() => {
  rows.clear()
  runs = [ticks]
  fakes.server.get('/api/slices/', () => slices)
  fakes.server.get<{ Querystring: Record<string, string | undefined> }>(
    '/api/runs/',
    ({ query }) => {
      const { '/name': name, '/slice/id': slice } = query
      return runs
        .filter((run) => name === undefined || JSON.stringify(run.name) === name)
        .filter((run) => slice === undefined || String(run.slice.id) === slice)
    },
  )
  fakes.server.post<{ Params: { id: string } }>('/api/runs/:id/ctl/cancel/', (_request, reply) =>
    reply.code(202).send({ ...ticks, cancelled_on: '2026-05-04T12:00:00Z' }),
  )
  fakes.server.get<{ Params: { name: string }; Querystring: { run: string } }>(
    '/api/measurements/:scope/:name/rows',
    ({ params: { name }, query: { run } }, reply) => {
      const found = rows.get(`${name} ${run}`)
      if (found === undefined) {
        const error = new LabError('LAB_MEASUREMENT_UNKNOWN', { scope: 's1', name, known: [] })
        return reply.code(404).send(toProblem(error))
      }
      const columns = [...new Set(found.flatMap((row) => Object.keys(row)))]
      const values = found.map((row) =>
        columns.map((one): unknown => Reflect.get(row, one) ?? null),
      )
      const batch = JSON.stringify({ columns, rows: values, landed: 1 })
      return reply
        .type('text/event-stream')
        .send(`event: rows\ndata: ${batch}\n\nevent: end\ndata: {}\n\n`)
    },
  )
})

it('lists runs with their state, of one slice too, and shows what became of one on each sliver', async () => {
  await fakes.listen()
  const all = await fakes.place.run(['runs', 'list'])
  expect(all.out).toMatch(/^ticks +s1 +2026-05-04T12:00:00Z +1 ended, 1 running +n1 n2$/mu)
  const other = await fakes.place.run(['runs', 'list', '--slice', 's2'])
  expect(other.out).toContain('no runs yet')
  const one = await fakes.place.run(['runs', 'show', 'ticks'])
  expect(one.out).toMatch(/^1@1 +n1 +ended .* 3 +exited/mu)
  const json = await fakes.place.run(['runs', 'show', ticks.id, '--json'])
  expect(JSON.parse(json.out)).toMatchObject({ name: 'ticks', id: ticks.id })
})

it('prints the output that is there, and tells beside what is not', async () => {
  const own = { run: ticks.id, sliver: '1@1' }
  rows.set(`run_output ${ticks.id}`, [
    { ...own, at_byte: 2, base64: Buffer.from('k\n').toString('base64') },
    { ...own, at_byte: 0, text: 'tic'.slice(0, 2) },
  ])
  await fakes.listen()
  const { code, out, err } = await fakes.place.run(['runs', 'output', 'ticks'])
  expect([code, out]).toEqual([0, '==> n1 <==\ntik\n==> n2 <==\n'])
  expect(err).toContain('n1 has not kept 7 further bytes')
  expect(err).toContain('not all output of n2 is here: it is running')
  const json = await fakes.place.run(['runs', 'output', 'ticks', '--json'])
  expect(JSON.parse(json.out)).toMatchObject([{ node: 'n1', text: 'tik\n', is_whole: true }, {}])
})

it('cancels a run', async () => {
  await fakes.listen()
  const { code, out } = await fakes.place.run(['runs', 'cancel', 'ticks'])
  expect([code, out]).toEqual([0, expect.stringContaining('run ticks is cancelled')])
  expect(fakes.asked.at(-1)).toMatchObject({
    method: 'POST',
    url: `/api/runs/${ticks.id}/ctl/cancel/`,
  })
})

it('writes kept files below the name of their node; one that is not whole, or whose name leads out of the folder, is not written and is an error', async () => {
  const content = 'a,b\n'
  const sha256 = createHash('sha256').update(content).digest('hex')
  const told = { run: ticks.id, sliver: '1@1', bytes: 4, sha256 }
  rows.set(`run_file ${ticks.id}`, [
    { ...told, file: 0, path: 'out/a.csv' },
    { ...told, file: 1, path: '../evil' },
    { ...told, file: 2, path: 'cut' },
    { ...told, file: 3, path: 'none', bytes: null, sha256: null, problem: 'there is no such file' },
  ])
  for (const [file, text] of ['a,b\n', 'a,b\n', 'a,'].entries()) {
    const run = filePartsOf(ticks.id, '1@1', file)
    rows.set(`run_file_part ${run}`, [{ run, sliver: '1@1', at_byte: 0, text }])
  }
  await fakes.listen()
  const listed = await fakes.place.run(['runs', 'files', 'ticks'])
  expect([listed.code, listed.out]).toEqual([0, expect.stringContaining('there is no such file')])
  const { code, out, err } = await fakes.place.run(['runs', 'files', 'ticks', '--to', 'kept'])
  expect([code, err]).toEqual([1, expect.stringContaining('LAB_RUN_FILE_MISSING')])
  expect(out).toMatch(/evil .*its path cannot be used here/u)
  expect(out).toMatch(/cut .*the server has 2 of its 4 bytes/u)
  const cwd = fakes.place.checkout
  expect(await readFile(join(cwd, 'kept/n1/out/a.csv'), 'utf8')).toBe(content)
  await expect(readFile(join(cwd, 'kept/evil'))).rejects.toThrow('ENOENT')
})

it('tells of a name that is wrong, and of one that runs of two slices have', async () => {
  runs = [ticks, { ...ticks, id: 'ticks-of-s2', slice: { uri: '/api/slices/2/', id: 2 } }]
  await fakes.listen()
  const several = await fakes.place.run(['runs', 'show', 'ticks'])
  expect([several.code, several.err]).toEqual([2, expect.stringContaining('by --slice')])
  const one = await fakes.place.run(['runs', 'show', 'ticks', '--slice', 's2', '--json'])
  expect(JSON.parse(one.out)).toMatchObject({ id: 'ticks-of-s2' })
  const wrong = await fakes.place.run(['runs', 'cancel', 'tick'])
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('ticks')])
})
