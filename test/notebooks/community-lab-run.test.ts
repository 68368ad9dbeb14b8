import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cellOf, readNotebook, runNotebook, shownAs, textOf } from '../support/notebook.ts'
import type { Notebook, NotebookRun } from '../support/notebook.ts'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'
import { notebooks } from '../support/ways/notebooks.ts'
import { runBy } from '../support/ways/run-by.ts'
import { communityLabRun } from '../support/ways/ways.ts'

const checkout = resolve(import.meta.dirname, '../..')
const file = join(checkout, 'notebooks/01-first-slice.ipynb')

let testbed: RunningTestbed
let folder: string

beforeAll(async () => {
  testbed = await startTestbed({ nodes: 5 })
  folder = await mkdtemp(join(tmpdir(), 'cl-notebooks-'))
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await testbed[Symbol.asyncDispose]()
})

describe('the first notebook', () => {
  let run: NotebookRun
  let executed: Notebook

  beforeAll(async () => {
    const output = join(folder, 'first.ipynb')
    run = await runNotebook(testbed, file, ['--output', output])
    executed = await readNotebook(output)
  })

  it('runs from top to bottom without an error', () => {
    const outputs = executed.cells.flatMap((cell) => cell.outputs ?? [])
    expect(outputs.filter(({ output_type: type }) => type === 'error')).toEqual([])
    expect([run.code, run.printed]).toEqual([0, expect.any(String)])
  })

  it('finds the five nodes and starts a sliver on each, with its progress shown', () => {
    expect(textOf(cellOf(executed, 'nodes')).match(/\bn[1-5]\b.*production/gu)).toHaveLength(5)
    expect(textOf(cellOf(executed, 'slice'))).toContain('5 of 5 started')
  })

  it('has an answer from every sliver', () => {
    expect(textOf(cellOf(executed, 'everywhere')).match(/\bLinux\b/gu)).toHaveLength(5)
  })

  it('sees packets take the shortcut before the cut, and the long way after it', () => {
    expect(textOf(cellOf(executed, 'path-before'))).toContain('n1 → n2 → n5')
    expect(textOf(cellOf(executed, 'path-after'))).toContain('n1 → n2 → n3 → n4 → n5')
  })

  it('shows a figure with a dot for each answer, of both ways', () => {
    // A figure with a title and a legend is HTML around its SVG.
    const figure = shownAs(cellOf(executed, 'plot'), 'text/html') ?? ''
    expect(figure.match(/<circle/gu)?.length).toBeGreaterThan(100)
    // The legend: routers of the short way, and of the long one.
    expect(figure).toMatch(/>3 routers on the way<[\s\S]*>5 routers on the way</u)
    expect(figure).not.toContain('null')
    expect(shownAs(cellOf(executed, 'plot'), 'image/png')).toMatch(/^iVBOR/u)
  })

  it('leaves the testbed as it found it', async () => {
    const { links } = await testbed.control.status()
    expect(links.filter(({ state }) => state !== 'up')).toEqual([])
    const answer = await fetch(`${testbed.credentials.url}/api/slices/`)
    expect(await answer.json()).toEqual([])
  })
})

const others = notebooks.filter(({ file: path }) => path !== file)

it.for(others.map((each) => [each.name, each] as const))(
  'the notebook %s runs by community-lab run',
  ([name, notebook]) => runBy(communityLabRun, notebook, { testbed, output: join(folder, name) }),
)
