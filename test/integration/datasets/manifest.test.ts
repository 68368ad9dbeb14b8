import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../../../datasets')
const folders = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

const Manifest = Type.Object({
  name: Type.String(),
  title: Type.String(),
  licence: Type.String(),
  made_by: Type.String(),
  from: Type.String(),
  to: Type.String(),
  faults: Type.Array(Type.Object({ time: Type.String(), what: Type.String() })),
  tables: Type.Array(
    Type.Object({
      name: Type.String(),
      file: Type.String(),
      rows: Type.Integer(),
      sha256: Type.String(),
      columns: Type.Array(
        Type.Object({
          name: Type.String(),
          type: Type.String(),
          unit: Type.Union([Type.String(), Type.Null()]),
        }),
      ),
    }),
  ),
})

const readManifest = (folder: string) =>
  Value.Parse(Manifest, JSON.parse(readFileSync(join(root, folder, 'manifest.json'), 'utf8')))

async function ask(sql: string): Promise<readonly Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const reader = await connection.runAndReadAll(sql)
  return reader.getRowObjectsJson()
}

describe.each(folders)('the dataset %s', (folder) => {
  const manifest = readManifest(folder)
  const files = readdirSync(join(root, folder)).filter((name) => name.endsWith('.parquet'))

  it('has every file that its manifest names, and no other', () => {
    expect(manifest.tables.map(({ file }) => file).sort()).toEqual(files.sort())
  })

  it.each(manifest.tables)('tells the truth about $file', async ({ file, ...table }) => {
    const path = join(root, folder, file)
    expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(table.sha256)
    const described = await ask(`describe from '${path}'`)
    expect(described.map((row) => [row['column_name'], row['column_type']])).toEqual(
      table.columns.map(({ name, type }) => [name, type]),
    )
    const [counted] = await ask(`select count(*)::integer as n from '${path}'`)
    expect(counted?.['n']).toBe(table.rows)
  })
})

describe('the dataset node-health', () => {
  const file = (name: string) => join(root, 'node-health', `${name}.parquet`)

  it('names the unit of every column that has one', () => {
    const health = readManifest('node-health').tables.find(({ name }) => name === 'node_health')
    const unit = (name: string) => health?.columns.find((column) => column.name === name)?.unit
    expect(unit('memory_available_bytes')).toBe('bytes')
    expect(unit('cpu_user_seconds_total')).toBe('s')
    expect(unit('cpu_utilization_ratio')).toBe('ratio')
  })

  it('has a sample of each second from the node that was cut off, and none twice', async () => {
    const [row] = await ask(`
      select count(*)::integer as n, count(distinct seq)::integer as distinct_n,
        max(gap_s) as widest_gap_s
      from (select seq, date_diff('millisecond', lag(time) over (order by time), time) / 1e3 as gap_s
        from '${file('node_health')}' where node = 'n3')`)
    expect(row?.['n']).toBeGreaterThan(170)
    expect(row?.['distinct_n']).toBe(row?.['n'])
    expect(Number(row?.['widest_gap_s'])).toBeLessThan(3)
  })

  it('has each of the six cuts of the link that flaps, as both of its ends saw them', async () => {
    const cuts = await ask(`
      select node, neighbour_address as peer, count(*)::integer as cuts
      from (select *, lag(usable) over (partition by node, neighbour_address order by time) as was
        from '${file('node_links')}')
      where was and not usable group by all order by cuts desc, node limit 2`)
    // n3 was cut off once, too, with this link.
    expect(cuts).toEqual([
      { node: 'n3', peer: 'fe80::4', cuts: 7 },
      { node: 'n4', peer: 'fe80::3', cuts: 7 },
    ])
  })

  it('has nothing from the node that was off while it was', async () => {
    const faults = readManifest('node-health').faults
    const at = (what: string) => faults.find((fault) => fault.what === what)?.time ?? ''
    const [row] = await ask(`
      select count(*)::integer as n from '${file('node_health')}' where node = 'n5'
        and time > '${at('n5 powered off')}'::timestamptz + interval 1 second
        and time < '${at('n5 powered on')}'::timestamptz`)
    expect(row?.['n']).toBe(0)
  })
})
