import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cellOf, readNotebook, runNotebook, shownAs, textOf } from '../support/notebook.ts'
import type { Notebook, NotebookRun } from '../support/notebook.ts'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'

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
  }, 240_000)

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

it('runs on stock tslab as well', async () => {
  const kernel = join(testbed.home, 'jupyter/data/kernels/tslab')
  await mkdir(kernel, { recursive: true })
  const tslab = join(checkout, 'node_modules/tslab/bin/tslab')
  const argv = [process.execPath, tslab, 'kernel', '--config-path={connection_file}']
  const specification = { argv, display_name: 'TypeScript', language: 'typescript' }
  await writeFile(join(kernel, 'kernel.json'), JSON.stringify(specification))
  const document = JSON.parse(await readFile(file, 'utf8')) as { metadata: object }
  const kernelspec = { name: 'tslab', display_name: 'TypeScript', language: 'typescript' }
  // Cells import the kernel's library as any package: from a node_modules above the notebook.
  const copy = join(checkout, 'notebooks/.on-tslab.ipynb')
  const output = join(folder, 'on-tslab.ipynb')
  await writeFile(copy, JSON.stringify({ ...document, metadata: { kernelspec } }))
  try {
    const { code, printed } = await runNotebook(testbed, copy, ['--output', output])
    expect([code, printed]).toEqual([0, expect.any(String)])
    const executed = await readNotebook(output)
    expect(textOf(cellOf(executed, 'path-after'))).toContain('n1 → n2 → n3 → n4 → n5')
    expect(shownAs(cellOf(executed, 'plot'), 'text/html')).toContain('<circle')
  } finally {
    await rm(copy, { force: true })
  }
})
