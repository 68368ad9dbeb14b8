import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { parseLine } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { SampleDatabase } from '../../../../kernel/src/run/database.ts'
import { readRows } from '../../../../kernel/src/run/row-stream.ts'
import { openSession, type Session } from '../../../../kernel/src/session.ts'
import { startApp, type TestApp } from '../../server/telemetry/app.ts'
import { fromNode } from '../../server/telemetry/world.ts'

const slice = { scope: 'slice-3', name: 'x' }

/** Start a server that has what a sliver's program wrote. */
async function serveLines(dir: string, lines: readonly string[]): Promise<TestApp> {
  const server = await startApp(dir)
  const samples = lines.map((line, index) => {
    const parsed = parseLine(line)
    if (!parsed.ok) throw new Error(parsed.reason)
    const { fields } = parsed
    return { seq: index + 1, timeUs: (index + 1) * 1000, ...slice, sliver: '3@1', fields }
  })
  await server.app.telemetry.append(fromNode(samples))
  return server
}

function openFor({ port }: TestApp): Session & AsyncDisposable {
  const credentials = { url: `http://127.0.0.1:${port}`, token: 'operator', folder: null }
  const session = openSession(credentials, { path: '', privateKey: '', publicKey: '' })
  return Object.assign(session, { [Symbol.asyncDispose]: () => session.close() })
}

/** Return the function that runs queries as a notebook does. */
function sql(database: SampleDatabase) {
  return (strings: TemplateStringsArray) => database.query(strings, [])
}

it('numbers in a notebook and in its exported file are those that a program wrote', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'numbers-'))
  {
    await using server = await serveLines(dir, [
      'x id=18446744073709551615 v=.5',
      'x id=9007199254740993 v=-nan',
      'x id=007 v=inf',
    ])
    await using session = openFor(server)
    const database = new SampleDatabase(session, { scope: 'slice-3' })
    const rows = await sql(database)`select id::varchar as id, v from x order by seq`
    expect([...rows]).toEqual([
      { id: '18446744073709551615', v: 0.5 },
      { id: '9007199254740993', v: Number.NaN },
      { id: '7', v: Number.POSITIVE_INFINITY },
    ])
    for await (const { rows: landed } of readRows(session, { ...slice, signal: session.signal })) {
      expect(landed).toMatchObject([
        { id: 18446744073709551615n, v: 0.5 },
        { id: 9007199254740993n, v: Number.NaN },
        { id: 7n, v: Number.POSITIVE_INFINITY },
      ])
      break
    }
    const file = join(dir, 'written.parquet')
    await database.writeParquet('x', file)
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    const answer = await connection.runAndReadAll(`select id::varchar from '${file}' order by seq`)
    expect(answer.getRowsJS().flat()).toEqual(['18446744073709551615', '9007199254740993', '7'])
    connection.closeSync()
    instance.closeSync()
  }
  await rm(dir, { recursive: true })
})
