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

type Expectation = Partial<Pick<TestedNotebook, 'parameters' | 'check' | 'allWays'>>

/** Read `12:01:23 to 12:03:13` at the end of a line, in seconds. */
function endsOf(line = ''): readonly number[] {
  const [, ...ends] = /(\d\d:\d\d:\d\d) to (\d\d:\d\d:\d\d)$/u.exec(line.trim()) ?? []
  return ends.map((at) => Date.parse(`1970-01-01T${at}Z`) / 1000)
}

/** The expectations about notebooks in addition to that no cell fails. */
const expectations = new Map<string, Expectation>([
  [
    '01-first-slice.ipynb',
    {
      allWays: true,
      check(executed) {
        expect(textOf(cellOf(executed, 'path-before'))).toContain('n1 → n2 → n5')
        expect(textOf(cellOf(executed, 'path-after'))).toContain('n1 → n2 → n3 → n4 → n5')
        expect(shownAs(cellOf(executed, 'plot'), 'text/html')).toContain('<circle')
      },
    },
  ],
  [
    '02-parties.ipynb',
    {
      check(executed) {
        expect(textOf(cellOf(executed, 'groups'))).toMatch(/lenders[\s\S]*0 of 2/u)
        expect(textOf(cellOf(executed, 'nodes')).match(/\bn[1-5]\b/gu)).toEqual(['n1', 'n2'])
        expect(textOf(cellOf(executed, 'lends'))).toMatch(/n5 30 null/u)
        expect(textOf(cellOf(executed, 'mine'))).toMatch(
          /researcher: parties\n.*student: parties\n.*owner: none\n.*sees them: parties/u,
        )
        const refusals = textOf(cellOf(executed, 'refusals'))
        expect(refusals.match(/^LAB_AUTH_FORBIDDEN: .*$/gmu)).toHaveLength(2)
        expect(refusals).toContain('the group admins of local are researcher')
        expect(textOf(cellOf(executed, 'quota'))).toContain('LAB_GROUP_QUOTA')
        expect(textOf(cellOf(executed, 'journal'))).toMatch(/parties +local +n1/u)
        expect(textOf(cellOf(executed, 'availability')).match(/^n\d: \d/gmu)).toHaveLength(5)
        expect(shownAs(cellOf(executed, 'plot'), 'text/html')).toContain('<rect')
      },
    },
  ],
  [
    '03-operators.ipynb',
    {
      check(executed) {
        const found = textOf(cellOf(executed, 'recorded')).split('\n')
        const done = textOf(cellOf(executed, 'truth')).split('\n')
        const what = [
          'nothing',
          'busy slivers: 1@2 on n2, 0',
          'sick nodes: n5, away 3 times, 72 s in all',
          'sick nodes: n5, away 3 times, 131 s in all',
          'flapping links: n3 – n4, down 6 times, 61 s in all',
          'busy slivers: 1@2 on n2, 0',
          'nothing',
        ]
        for (const [day, expected] of what.entries()) {
          expect(found[day]).toContain(`: ${expected}`)
          if (expected === 'nothing') continue
          // Each is found to begin and end when it did, within three samples.
          const told = endsOf(found[day])
          for (const [end, at] of endsOf(done[day]).entries())
            expect(Math.abs((told[end] ?? NaN) - at)).toBeLessThanOrEqual(6)
        }
        for (const tag of ['nodes', 'links', 'use', 'now-nodes'])
          expect(shownAs(cellOf(executed, tag), 'text/html')).toContain('<svg')
        // How long the testbed has been there depends on what ran before.
        expect(textOf(cellOf(executed, 'now'))).toContain('the last hour: ')
      },
    },
  ],
  [
    '04-measurements.ipynb',
    {
      check(executed) {
        expect(textOf(cellOf(executed, 'path'))).toContain(
          'n1 → n2 → n5: 10 ms each way, 20 Mbit/s',
        )
        for (const tag of ['rtt', 'one-way', 'http', 'compare'])
          expect(shownAs(cellOf(executed, tag), 'text/html')).toContain('<svg')
        // Nothing is faster than the links, and on a busy machine nobody knows how much slower it is. Without root, a relay delays packets by half a millisecond less.
        const compared = textOf(cellOf(executed, 'compare'))
        const measured = (what: string) =>
          Number(new RegExp(`${what}.*: (\\S+) (?:ms|Mbit)`, 'u').exec(compared)?.[1])
        expect(measured('round trip')).toBeGreaterThan(19)
        expect(measured('connection of TCP')).toBeGreaterThan(19)
        expect(measured('throughput of TCP')).toBeGreaterThan(0)
        expect(measured('throughput of TCP')).toBeLessThan(20)
      },
    },
  ],
  [
    'sample-size.ipynb',
    {
      allWays: true,
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
    const {
      parameters = {},
      check = () => undefined,
      allWays: always = false,
    } = expectations.get(name) ?? {}
    const allWays = always || process.env['COMMUNITY_LAB_TEST_WAYS'] === 'all'
    return { file: join(folder, name), name, allWays, parameters, check }
  })
