import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readNotebook } from '../support/notebook.ts'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'
import { notebooks } from '../support/ways/notebooks.ts'
import { startBrowser, type TestBrowser } from './world/browser.ts'
import { startTestLab, type TestLab } from './world/lab.ts'

const first = '01-first-slice.ipynb'
const chosen = notebooks.filter(({ allWays }) => allWays)

let testbed: RunningTestbed
let jupyter: TestLab
let browser: TestBrowser

beforeAll(async () => {
  testbed = await startTestbed({ nodes: 5 })
  jupyter = await startTestLab(
    testbed,
    chosen.map(({ file }) => file),
  )
  browser = await startBrowser()
})

afterAll(async () => {
  await browser[Symbol.asyncDispose]()
  await jupyter[Symbol.asyncDispose]()
  await testbed[Symbol.asyncDispose]()
})

it('the first notebook, opened by its address and run from the menu, ends in a plot, while the panel shows its slice', async () => {
  const page = await browser.open(jupyter.notebookUrl(first))
  await page.getByRole('heading', { name: 'Your first slice' }).waitFor()
  await page.locator('li[data-id="community-lab-testbed"]').click()
  await runAllCells(page)

  await page.locator('.cl-panel [data-slice="first-slice"]').waitFor({ timeout: 60_000 })
  await page.locator('.cl-panel [data-sliver][data-state="started"]').nth(4).waitFor()

  await awaitLastCell(page, fileOf(first))
  await page.locator('.cl-panel [data-slice="first-slice"]').waitFor({ state: 'detached' })
  const figure = page.locator('.jp-OutputArea-output svg', {
    has: page.locator('[aria-label="dot"]'),
  })
  await figure.scrollIntoViewIfNeeded()
  expect(await figure.locator('circle').count()).toBeGreaterThan(100)
  expect((await figure.boundingBox())?.width).toBeGreaterThan(300)

  expect(browser.foreignRequests).toEqual([])
  expect(browser.complaints).toEqual([])
  // The page has saved nothing into the checkout, because it worked on a copy.
  expect(await readFile(fileOf(first), 'utf8')).not.toContain('"output_type"')
})

const others = chosen.filter(({ name }) => name !== first).map(({ name }) => name)

it.for(others)('%s runs from the menu to its last cell', async (name) => {
  const page = await browser.open(jupyter.notebookUrl(name))
  await runAllCells(page)
  await awaitLastCell(page, fileOf(name))
  expect(await page.locator('.jp-OutputArea-output[data-mime-type*="error"]').count()).toBe(0)
  expect(browser.complaints).toEqual([])
})

function fileOf(name: string): string {
  return chosen.find((each) => each.name === name)?.file ?? name
}

async function runAllCells(page: Page): Promise<void> {
  await page.locator('.jp-KernelName', { hasText: 'TypeScript (Community-Lab)' }).waitFor()
  await page.getByRole('menuitem', { name: 'Run', exact: true }).click()
  await page.getByText('Run All Cells', { exact: true }).click()
}

/** Wait for the last cell. A cell that fails stops the cells after it, so the last one runs only if none fails. */
async function awaitLastCell(page: Page, file: string): Promise<void> {
  const { cells } = await readNotebook(file)
  const last = cells.filter(({ cell_type: type }) => type === 'code').length
  const prompt = page.locator('.jp-CodeCell .jp-InputPrompt', { hasText: `[${last}]:` })
  await prompt.waitFor({ timeout: 150_000 })
}
