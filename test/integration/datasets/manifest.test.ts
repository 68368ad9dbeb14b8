import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { HealthManifest } from '@community-lab/contract'
import { DuckDBInstance } from '@duckdb/node-api'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../../../datasets/node-health')

const Fault = Type.Object({ time: Type.String(), what: Type.String() })
const Week = Type.Object({
  name: Type.String(),
  licence: Type.String(),
  provenance: Type.String(),
  days: Type.Array(
    Type.Object({
      day: Type.String(),
      title: Type.String(),
      from: Type.String(),
      to: Type.String(),
      faults: Type.Array(Fault),
    }),
  ),
})

const { days } = Value.Parse(Week, JSON.parse(readFileSync(join(root, 'manifest.json'), 'utf8')))

async function ask(sql: string): Promise<readonly Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const reader = await connection.runAndReadAll(sql)
  return reader.getRowObjectsJson()
}

const files = (day: string, name: string) => `'${join(root, day, `${name}-*.parquet`)}'`

it('has a folder for each of seven days in a row, and nothing else', () => {
  const folders = readdirSync(root).filter((name) => /^\d{4}-/u.test(name))
  expect(folders.sort()).toEqual(days.map(({ day }) => day))
  const begins = days.map(({ day }) => Date.parse(day) / 86_400_000)
  expect(begins.map((begin) => begin - (begins[0] ?? 0))).toEqual([0, 1, 2, 3, 4, 5, 6])
})

describe.each(days)('the day $day: $title', ({ day, from, to }) => {
  const text = readFileSync(join(root, day, 'manifest.json'), 'utf8')
  const manifest = Value.Parse(HealthManifest, JSON.parse(text))

  it('has every file that its manifest names, and no other, and the manifest tells the truth', async () => {
    const there = readdirSync(join(root, day)).filter((name) => name.endsWith('.parquet'))
    expect(manifest.tables.map(({ file }) => file).sort()).toEqual(there.sort())
    for (const { file, ...table } of manifest.tables) {
      const path = join(root, day, file)
      expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(table.sha256)
      const described = await ask(`describe from '${path}'`)
      expect(described.map((row) => [row['column_name'], row['column_type']])).toEqual(
        table.columns.map(({ name, type }) => [name, type]),
      )
      const [counted] = await ask(`select count(*)::integer as n from '${path}'`)
      expect(counted?.['n']).toBe(table.rows)
    }
  })

  it('has all samples of its nodes, none twice, from begin to end', async () => {
    const rows = await ask(`
      select node, count(*)::integer as n, count(distinct (spool, seq))::integer as distinct_n,
        min(time) <= '${from}'::timestamptz + interval 10 seconds as has_begin,
        max(time) >= '${to}'::timestamptz - interval 10 seconds as has_end
      from ${files(day, 'node_health')} group by node order by node`)
    const whole = { has_begin: true, has_end: true }
    expect(rows).toMatchObject(['n1', 'n2', 'n3', 'n4', 'n5'].map((node) => ({ node, ...whole })))
    for (const row of rows) expect(row['distinct_n']).toBe(row['n'])
  })

  it('has no state of a node where nothing was recorded', async () => {
    const [row] = await ask(`
      select count(*)::integer as n from ${files(day, 'node_states')} where state <> 'nodata'
      and (to_time < '${from}'::timestamptz - interval 60 seconds or time > '${to}'::timestamptz + interval 60 seconds)`)
    expect(row?.['n']).toBe(0)
  })
})

it('has nothing from the node that was off while it was', async () => {
  for (const { day, faults } of days)
    for (const [index, { time, what }] of faults.entries()) {
      if (what !== 'n5 powered off') continue
      const on = faults[index + 1]
      const [row] = await ask(`
        select count(*)::integer as n from ${files(day, 'node_health')} where node = 'n5'
          and time > '${time}'::timestamptz + interval 1 second and time < '${on?.time ?? ''}'::timestamptz`)
      expect(row?.['n']).toBe(0)
    }
})
