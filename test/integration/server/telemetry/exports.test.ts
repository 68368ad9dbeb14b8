import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import { startApp } from './app.ts'
import { allRows, aSample, fromNode, makeFolder, openStore, randomText, samples } from './world.ts'

const everything = { ...allRows, scope: 'node', name: 'log' }

describe('a file of more than DuckDB’s memory', () => {
  it('is written, in the order of landing', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir, { memoryMiB: 256 })
    const rows = 70_000
    for (let from = 1; from <= rows; from += 1_000)
      await store.append(
        fromNode(
          Array.from({ length: 1_000 }, (_, at) =>
            aSample(from + at, { name: 'log', fields: { text: randomText(4_000) } }),
          ),
        ),
      )
    const file = join(folder.dir, 'a.parquet')
    expect(await store.writeParquet({ ...everything, file })).toBe(true)
    expect((await stat(file)).size).toBeGreaterThan(128 * 1024 * 1024)
    const instance = await DuckDBInstance.create()
    const connection = await instance.connect()
    const answer = await connection.runAndReadAll(
      `select count(*)::int, bool_and(landed > before) from (
         select landed, lag(landed, 1, 0::bigint) over (order by file_row_number) as before from read_parquet('${file}', file_row_number = true))`,
    )
    expect(answer.getRowsJS()).toEqual([[rows, true]])
    connection.closeSync()
    instance.closeSync()
  })
})

/** The names of files in the order in which they are written. */
async function orderOf(files: Readonly<Record<string, Promise<boolean>>>): Promise<string[]> {
  const order: string[] = []
  await Promise.all(
    Object.entries(files).map(([name, written]) => written.then(() => order.push(name))),
  )
  return order
}

describe('files that wait', () => {
  it('are written for readers in turn, and those of tokens not after the others', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    for (let from = 1; from < 100_000; from += 10_000)
      await store.append(fromNode(samples(from, from + 9_999)))
    const write = (name: string, changes: object) =>
      store.writeParquet({ ...everything, name: 'cpu', ...changes, file: join(folder.dir, name) })
    const anonymous = (name: string, reader: string) => write(name, { reader, isAnonymous: true })
    const order = await orderOf({
      greedy1: anonymous('greedy1', 'a'),
      greedy2: anonymous('greedy2', 'a'),
      greedy3: anonymous('greedy3', 'a'),
      greedy4: anonymous('greedy4', 'a'),
      modest: anonymous('modest', 'b'),
      researcher: write('researcher', {}),
    })
    expect(order.filter((name) => name !== 'researcher')).toEqual([
      ...['greedy1', 'greedy2', 'modest', 'greedy3', 'greedy4'],
    ])
    expect(order.indexOf('researcher')).toBeLessThan(order.indexOf('greedy4'))
  })

  it('are given up when their writing takes too long, and the reader is told what to do', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir, { exportWithinMs: 1 })
    for (let from = 1; from < 100_000; from += 10_000)
      await store.append(fromNode(samples(from, from + 9_999)))
    const file = join(folder.dir, 'a.parquet')
    await expect(store.writeParquet({ ...everything, name: 'cpu', file })).rejects.toMatchObject({
      code: 'LAB_TELEMETRY_FAILED',
      message: expect.stringContaining('took longer than 0.001 s: ask for fewer rows') as string,
    })
  })
})

describe('a file on its way to its reader', () => {
  it('counts until the reader has it or goes; who has a token is not counted with the others', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    // More than the buffers between server and reader hold.
    for (let from = 1; from <= 20_000; from += 1_000)
      await server.app.telemetry.append(
        fromNode(
          Array.from({ length: 1_000 }, (_, at) =>
            aSample(from + at, { name: 'log', fields: { text: randomText(2_000) } }),
          ),
        ),
      )
    const open = async (token?: string): Promise<IncomingMessage> => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const path = '/api/measurements/node/log/parquet'
      const request = get({ host: '127.0.0.1', port: server.port, path, headers, agent: false })
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      return response
    }
    // Two whose readers take nothing of them.
    const first = await open()
    const second = await open()
    expect([first.statusCode, second.statusCode]).toEqual([200, 200])
    const third = await open()
    expect(third.statusCode).toBe(503)
    const researcher = await open('group1')
    expect(researcher.statusCode).toBe(200)
    first.destroy()
    await expect
      .poll(async () => {
        const next = await open()
        next.destroy()
        return next.statusCode
      })
      .toBe(200)
    for (const response of [second, third, researcher]) response.destroy()
  })
})
