import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readNotebook } from '../support/notebook.ts'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'
import { startBrowser, type TestBrowser } from './world/browser.ts'
import { startTestLab, type TestLab } from './world/lab.ts'

const file = 'notebooks/01-first-slice.ipynb'
const checkout = resolve(import.meta.dirname, '../..')

let testbed: RunningTestbed
let jupyter: TestLab
let browser: TestBrowser

beforeAll(async () => {
  testbed = await startTestbed({ nodes: 5 })
  jupyter = await startTestLab(testbed, [file])
  browser = await startBrowser()
})

afterAll(async () => {
  await browser[Symbol.asyncDispose]()
  await jupyter[Symbol.asyncDispose]()
  await testbed[Symbol.asyncDispose]()
})

it('the first notebook, opened by its address and run from the menu, ends in a plot, while the panel shows its slice', async () => {
  const page = await browser.open(jupyter.notebookUrl('01-first-slice.ipynb'))
  await page.getByRole('heading', { name: 'Your first slice' }).waitFor()
  await page.locator('.jp-KernelName', { hasText: 'TypeScript (Community-Lab)' }).waitFor()
  await page.locator('li[data-id="community-lab-testbed"]').click()
  await page.getByRole('menuitem', { name: 'Run', exact: true }).click()
  await page.getByText('Run All Cells', { exact: true }).click()

  await page.locator('.cl-panel [data-slice="first-slice"]').waitFor({ timeout: 60_000 })
  await page.locator('.cl-panel [data-sliver][data-state="started"]').nth(4).waitFor()

  // A cell that fails stops those behind it: the last one has run only if all have.
  const { cells } = await readNotebook(join(checkout, file))
  const last = cells.filter(({ cell_type: type }) => type === 'code').length
  const prompt = page.locator('.jp-CodeCell .jp-InputPrompt', { hasText: `[${last}]:` })
  await prompt.waitFor({ timeout: 150_000 })
  await page.locator('.cl-panel [data-slice="first-slice"]').waitFor({ state: 'detached' })
  const figure = page.locator('.jp-OutputArea-output svg', {
    has: page.locator('[aria-label="dot"]'),
  })
  await figure.scrollIntoViewIfNeeded()
  expect(await figure.locator('circle').count()).toBeGreaterThan(100)
  expect((await figure.boundingBox())?.width).toBeGreaterThan(300)

  expect(browser.foreignRequests).toEqual([])
  expect(browser.complaints).toEqual([])
  // The page has saved nothing into the checkout: it worked on a copy.
  expect(await readFile(join(checkout, file), 'utf8')).not.toContain('"output_type"')
})
