import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'

const folder = resolve(import.meta.dirname, '../../../../kernel/src/jupyter')

it('the kernel loads no schemas of the contract, which would take a third of the time of its start and 27 MiB', () => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const sources = files.filter((name) => name.endsWith('.ts'))
  const whole = sources.filter((name) =>
    readFileSync(join(folder, name), 'utf8').includes("from '@community-lab/contract'"),
  )
  expect(sources.length).toBeGreaterThan(50)
  expect(whole).toEqual([])
})
