import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { acceptOf, type RowBatch } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import { startApp, type TestApp } from './app.ts'
import { aSample, fromNode, makeFolder, samples } from './world.ts'

const rowsPath = '/api/measurements/node/cpu/rows'
const ofSlice = { scope: 'slice-3', name: 'rtt', sliver: '3@1' }

interface Event {
  readonly id: string
  readonly batch: RowBatch
}

const ours = { accept: acceptOf() }

/** Read events of rows until the client has enough. */
async function* readEvents(
  { port }: TestApp,
  path: string,
  headers: Record<string, string> = {},
): AsyncGenerator<Event> {
  const leaving = new AbortController()
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers,
    signal: leaving.signal,
  })
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  let text = ''
  try {
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const part = await reader?.read()
      if (part?.value === undefined) return
      text += part.value
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) {
        const match = /^id: (\S+)\ndata: (.*)$/u.exec(event)
        if (match === null) continue
        yield { id: match[1] ?? '', batch: JSON.parse(match[2] ?? '') as RowBatch }
      }
    }
  } finally {
    leaving.abort()
  }
}

async function take(events: AsyncGenerator<Event>, rows: number): Promise<Event[]> {
  const taken: Event[] = []
  for await (const event of events) {
    taken.push(event)
    if (taken.reduce((sum, { batch }) => sum + batch.rows.length, 0) >= rows) break
  }
  return taken
}

function seqs(events: readonly Event[]): unknown[] {
  return events.flatMap(({ batch }) => batch.rows.map((row) => row[batch.columns.indexOf('seq')]))
}

describe('rows as server-sent events', () => {
  it('come as they land, even from a measurement that was not there yet', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    const events = readEvents(server, rowsPath)
    const first = events.next()
    await server.app.telemetry.append(fromNode([aSample(1, { name: 'load' })]))
    await server.app.telemetry.append(fromNode(samples(2, 3)))
    const { id, batch } = (await first).value as Event
    expect(id).toBe(`v1:1=${batch.landed}`)
    expect(batch.rows).toHaveLength(2)
    await server.app.telemetry.append(fromNode([aSample(4, { fields: { more: true } })]))
    const second = (await events.next()).value as Event
    expect(second.batch.columns.slice(-2)).toEqual(['busy_ratio', 'more'])
    expect(second.batch.rows[0]?.slice(-2)).toEqual([null, true])
    await events.return(undefined)
  })

  it('go on after the last id, in events of at most 5000 rows', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    await server.app.telemetry.append(fromNode(samples(1, 12_500)))
    const all = await take(readEvents(server, rowsPath), 12_500)
    expect(all.map(({ batch }) => batch.rows.length)).toEqual([5000, 5000, 2500])
    const [, second] = all
    const landed = second?.batch.landed ?? 0
    const wanted = samples(10_001, 12_500).map(({ seq }) => seq)
    const after = (id: string) =>
      take(readEvents(server, rowsPath, { 'last-event-id': id }), wanted.length)
    expect(seqs(await after(second?.id ?? ''))).toEqual(wanted)
    // A reader of before knows the number of the row. What one has read of another writer stays in its cursor.
    expect(seqs(await after(String(landed)))).toEqual(wanted)
    const rest = await after(`v1:1=${landed},7=4`)
    expect(seqs(rest)).toEqual(wanted)
    expect(rest[0]?.id).toBe(`v1:1=${rest[0]?.batch.landed},7=4`)
    expect(await take(readEvents(server, `${rowsPath}?after=v1:1=${landed + 2499}`), 1)).toEqual(
      await take(readEvents(server, `${rowsPath}?after=${landed + 2499}`), 1),
    )
  })

  it('keep a run’s rows', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    const runs = ['a', 'b', 'a', 'b']
    await server.app.telemetry.append(
      fromNode(runs.map((run, at) => aSample(at + 1, { fields: { run } }))),
    )
    expect(seqs(await take(readEvents(server, `${rowsPath}?run=b`), 2))).toEqual([2, 4])
  })

  it('cost one query for each commit, however many readers there are', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    const { telemetry } = server.app
    const { rows } = telemetry
    let queries = 0
    telemetry.rows = (request) => {
      queries++
      return rows(request)
    }
    const readers = Array.from({ length: 20 }, () => readEvents(server, rowsPath))
    const commits = 10
    for (let commit = 0; commit < commits; commit++) {
      const next = readers.map((reader) => reader.next())
      await telemetry.append(fromNode(samples(3 * commit + 1, 3 * commit + 3)))
      const events = (await Promise.all(next)).map(({ value }) => value as Event)
      expect(events.map((event) => seqs([event]))).toEqual(
        readers.map(() => [3 * commit + 1, 3 * commit + 2, 3 * commit + 3]),
      )
      if (commit > 0) continue
      // Readers come before, during and after the first commit. A query that is under way then may have its rows: its readers ask once more, and those
      // that come later have a query of their own.
      expect(queries).toBeLessThanOrEqual(3)
      queries = 0
    }
    expect(queries).toBe(commits - 1)
    await Promise.all(readers.map((reader) => reader.return(undefined)))
  })

  it('end after those that there are, when nobody wants more', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    await server.app.telemetry.append(fromNode(samples(1, 12_500)))
    const url = `http://127.0.0.1:${server.port}${rowsPath}?follow=false`
    const text = await (await fetch(url)).text()
    expect(text.match(/^id: /gmu)).toHaveLength(3)
    expect(text.endsWith('event: end\ndata: {}\n\n')).toBe(true)
    const none = url.replace('/cpu/', '/unknown/')
    expect(await (await fetch(none)).text()).toContain('event: end')
  })

  it('end when the server stops', async () => {
    await using folder = await makeFolder()
    const server = await startApp(folder.dir)
    await server.app.telemetry.append(fromNode(samples(1, 1)))
    const events = readEvents(server, rowsPath)
    await events.next()
    await server.app.close()
    await expect(events.next()).resolves.toMatchObject({ done: true })
  })
})

describe('a Parquet file', () => {
  it('has the rows that were asked for', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    await server.app.telemetry.append(fromNode(samples(1, 3000)))
    const instance = await DuckDBInstance.create()
    const connection = await instance.connect()
    const read = async (query: string): Promise<unknown> => {
      const response = await server.app.inject(`/api/measurements/node/cpu/parquet${query}`)
      expect(response.headers['content-type']).toBe('application/vnd.apache.parquet')
      const file = join(folder.dir, 'copy.parquet')
      await writeFile(file, response.rawPayload)
      const answer = await connection.runAndReadAll(
        `select count(*)::integer, min(seq)::integer, max(seq)::integer, sum(busy_ratio) from '${file}'`,
      )
      return answer.getRowsJS()[0]
    }
    expect(await read('')).toEqual([3000, 1, 3000, (3000 * 3001) / 4])
    const range = '?from=1970-01-01T00:00:01Z&to=1970-01-01T01:00:02%2B01:00'
    expect(await read(range)).toEqual([1000, 1000, 1999, (2999 * 1000) / 4])
    expect(await read('?run=none')).toEqual([0, null, null, null])
    connection.closeSync()
    instance.closeSync()
  })

  it('is not found before the measurement’s first sample', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    await server.app.telemetry.append(fromNode([aSample(1, { name: 'load' })]))
    const early = await server.app.inject({
      url: '/api/measurements/node/cpu/parquet',
      headers: ours,
    })
    expect(early.statusCode).toBe(404)
    expect(early.json()).toMatchObject({
      code: 'LAB_MEASUREMENT_UNKNOWN',
      details: { scope: 'node', name: 'cpu', known: ['load'] },
    })
    const never = await server.app.inject({
      url: '/api/measurements/node/Bad%22name/parquet',
      headers: ours,
    })
    expect(never.statusCode).toBe(404)
    expect(never.json()).toMatchObject({ code: 'LAB_NOT_FOUND' })
    const response = await server.app.inject({
      url: '/api/measurements/node/cpu/parquet?from=yesterday',
      headers: ours,
    })
    expect(response.json()).toMatchObject({ code: 'LAB_REQUEST_INVALID' })
  })
})

describe('who may read', () => {
  const cases = [
    ['anonymous', 401, ['node']],
    ['group2', 403, ['node']],
    ['node1', 403, ['node']],
    ['group1', 200, ['node', 'slice-3']],
    ['operator', 200, ['node', 'slice-3']],
  ] as const
  it.each(cases)('%s gets %i from a slice of group 1', async (token, status, scopes) => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    await server.app.telemetry.append(fromNode([aSample(1), aSample(2, ofSlice)]))
    const headers = { ...ours, authorization: `Bearer ${token}` }
    const ask = (url: string) => server.app.inject({ url, headers })
    expect((await ask('/api/measurements/slice-3/rtt/parquet')).statusCode).toBe(status)
    expect((await ask('/api/measurements/?scope=slice-3')).statusCode).toBe(status)
    if (status !== 200)
      expect((await ask('/api/measurements/slice-3/rtt/rows')).statusCode).toBe(status)
    const list = (await ask('/api/measurements/')).json<{ scope: string }[]>()
    expect(list.map(({ scope }) => scope)).toEqual(scopes)
    expect((await ask('/api/measurements/slice-4/rtt/rows')).statusCode).toBe(404)
  })
})
