import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { expect } from 'vitest'
import { cellOf, shownAs, textOf, type Notebook } from '../notebook.ts'

const folder = resolve(import.meta.dirname, '../../../notebooks')

/** A notebook of the repository, and the expected outputs in each way of running it. */
export interface TestedNotebook {
  /** Its path. */
  readonly file: string
  readonly name: string
  /** Whether it is run in all ways; otherwise in one way. */
  readonly allWays: boolean
  /** Values for its parameters, in the ways that can set them. */
  readonly parameters: Readonly<Record<string, string | number>>
  /** Check the outputs of its cells. `given` tells whether its parameters were set. */
  check(executed: Notebook, given: boolean): void
}

type Expectation = Partial<Pick<TestedNotebook, 'parameters' | 'check'>>

/** The expectations about notebooks in addition to that no cell fails. The notebooks that are listed here run in all ways on each change. */
const expectations = new Map<string, Expectation>([
  [
    '01-first-slice.ipynb',
    {
      check(executed) {
        expect(textOf(cellOf(executed, 'path-before'))).toContain('n1 → n2 → n5')
        expect(textOf(cellOf(executed, 'path-after'))).toContain('n1 → n2 → n3 → n4 → n5')
        expect(shownAs(cellOf(executed, 'plot'), 'text/html')).toContain('<circle')
      },
    },
  ],
  [
    'sample-size.ipynb',
    {
      parameters: { count: 50, label: 'a "short" one' },
      check(executed, given) {
        expect(textOf(cellOf(executed, 'samples'))).toContain(`${given ? 50 : 200} samples`)
        // Both means were computed by a Python program with the same generator.
        expect(textOf(cellOf(executed, 'means'))).toContain(`mean ${given ? '0.9124' : '1.0025'}`)
        const label = given ? 'a "short" one' : 'exponential, mean 1'
        expect(shownAs(cellOf(executed, 'rich'), 'text/html')).toBe(`<b>${label}</b>`)
        // Stock tslab shows only the richest type.
        expect(shownAs(cellOf(executed, 'plot'), 'text/html')).toContain('<path')
      },
    },
  ],
])

/** All notebooks. `npm run test:all` runs all of them in all ways. */
export const notebooks: readonly TestedNotebook[] = readdirSync(folder)
  .filter((name) => name.endsWith('.ipynb') && !name.startsWith('.'))
  .sort()
  .map((name) => {
    const { parameters = {}, check = () => undefined } = expectations.get(name) ?? {}
    const allWays = expectations.has(name) || process.env['COMMUNITY_LAB_TEST_WAYS'] === 'all'
    return { file: join(folder, name), name, allWays, parameters, check }
  })
