import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CheckedCells } from '../../../support/checked-cells.ts'

let folder: string
let cells: CheckedCells
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-test-'))
  const node = (id: number): object =>
    id % 2 === 0 ? { id, rtt: [id], site: null } : { id, rtt: [id], site: 'a' }
  const members = Array.from({ length: 2000 }, (_, id) => [`node-${id}`, node(id)] as const)
  const nodes = Object.fromEntries(members)
  const counts = Object.fromEntries(members.map(([name], i) => [name, i]))
  const settings = Object.fromEntries(
    members.map(([name], i) => [name, { [`${name}-setting`]: i }]),
  )
  const some = Object.fromEntries(members.slice(0, 200).map(([name]) => [name, 'x'.repeat(100)]))
  const mixed = { version: 2, ...some, seed: 42 }
  const files = {
    nodes,
    counts,
    mixed,
    settings,
    both: { version: 2, sites: [{ nodes }, { nodes }] },
  }
  for (const [name, value] of Object.entries(files))
    await writeFile(join(folder, `${name}.json`), JSON.stringify(value))
  cells = new CheckedCells(folder)
  for (const name of Object.keys(files)) cells.run(`import ${name} from './${name}.json'`)
})
afterAll(() => rm(folder, { recursive: true }))

describe('an object of a JSON file with thousands of members of a few shapes', () => {
  it.each([
    'const ids = Object.values(nodes).map(({ id, rtt }) => id + rtt[0]!)',
    'const sites: (string | null)[] = Object.values(nodes).map((each) => each.site)',
    'for (const [name, { id }] of Object.entries(nodes)) console.log(name.length + id)',
    'for (const name in nodes) console.log(nodes[name]?.id)',
    "const first: number | undefined = nodes['node-0']?.id",
    'const sum: number = Object.values(counts).reduce((a, b) => a + b)',
    'const all: number[] = both.sites.flatMap((site) => Object.values(site.nodes).map(({ id }) => id))',
    'const version: number = both.version',
    'const seed: number = mixed.seed + mixed.version',
    "const named: string = mixed['node-7']",
    'const mixedValues: (string | number)[] = Object.values(mixed)',
    'for (const name in mixed) console.log(mixed[name]?.toString())',
  ])('is a dictionary: %s', (code) => {
    expect(cells.run(code)).toBe('')
  })

  it('gives no member that may be missing', () => {
    expect(cells.run('const text: string = mixed.none')).toContain('not assignable')
    expect(cells.run('counts.none + 1')).toContain("'counts.none' is possibly 'undefined'")
    expect(cells.run('const n: number = both.sites[0].nodes.x.id')).toContain(
      "possibly 'undefined'",
    )
  })

  it('is no dictionary when its members have different shapes', () => {
    expect(cells.run("const n: number = settings['node-7']['node-7-setting']")).toBe('')
    expect(cells.run('settings.none')).toContain("Property 'none' does not exist")
  })

  it('does not change what Object.values gives of other objects', () => {
    expect(
      cells.run(
        'let some: Record<string, number | undefined> = {}\nconst values: number[] = Object.values(some)',
      ),
    ).toContain("'undefined' is not assignable to type 'number'")
  })
})
