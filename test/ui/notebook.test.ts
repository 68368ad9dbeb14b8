import type { Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'
import { startBrowser, type TestBrowser } from './world/browser.ts'
import { startTestLab, type TestLab } from './world/lab.ts'

let testbed: RunningTestbed
let jupyter: TestLab
let browser: TestBrowser

beforeAll(async () => {
  testbed = await startTestbed({ nodes: 5 })
  jupyter = await startTestLab(testbed, ['notebooks/01-first-slice.ipynb'])
  browser = await startBrowser()
})

afterAll(async () => {
  await browser[Symbol.asyncDispose]()
  await jupyter[Symbol.asyncDispose]()
  await testbed[Symbol.asyncDispose]()
})

const cellsOf = (page: Page): Locator => page.locator('.jp-Notebook .jp-CodeCell')

it('the first notebook, opened by its address and run from the menu, gives a plot, while the panel shows its slice', async () => {
  const page = await browser.open(jupyter.notebookUrl('01-first-slice.ipynb'))
  await page.getByRole('heading', { name: 'Your first slice' }).waitFor()
  await page.locator('.jp-KernelName', { hasText: 'TypeScript (Community-Lab)' }).waitFor()
  await page.locator('li[data-id="community-lab-testbed"]').click()
  await page.getByRole('menuitem', { name: 'Run', exact: true }).click()
  await page.getByText('Run All Cells', { exact: true }).click()

  await page.locator('.cl-panel [data-slice="first-slice"]').waitFor()
  await page.locator('.cl-panel [data-sliver][data-state="started"]').nth(4).waitFor()

  // Its data come from an opened notebook, which JupyterLab trusts once its cells have been run.
  const figure = page.locator('.jp-OutputArea-output :is(svg[viewBox], img)').last()
  await figure.waitFor({ timeout: 150_000 })
  const box = await figure.boundingBox()
  expect(box?.width).toBeGreaterThan(300)
  await page.locator('.cl-panel [data-slice="first-slice"]').waitFor({ state: 'detached' })
  expect(await page.locator('.jp-OutputArea-output[data-mime-type*="error"]').count()).toBe(0)
  expect(await cellsOf(page).locator('.jp-RenderedText[data-mime-type*="stderr"]').count()).toBe(0)
  expect(browser.foreignRequests).toEqual([])
  expect(browser.complaints).toEqual([])
})
