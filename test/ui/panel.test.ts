import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type Lab } from '@community-lab/kernel'
import type { Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'
import { startBrowser, type TestBrowser } from './world/browser.ts'
import { contrastOf } from './world/contrast.ts'
import { startTestLab, type TestLab } from './world/lab.ts'

let testbed: RunningTestbed
let jupyter: TestLab
let browser: TestBrowser
let lab: Lab
let page: Page
let panel: Locator

beforeAll(async () => {
  testbed = await startTestbed({
    nodes: 2,
    serverEnv: { COMMUNITY_LAB_SERVER_OFFLINE_AFTER_S: '5' },
  })
  jupyter = await startTestLab(testbed)
  browser = await startBrowser()
  lab = connect(testbed.credentials)
})

afterAll(async () => {
  await lab[Symbol.asyncDispose]()
  await browser[Symbol.asyncDispose]()
  await jupyter[Symbol.asyncDispose]()
  await testbed[Symbol.asyncDispose]()
})

beforeEach(async () => {
  page = await browser.open(jupyter.url)
  panel = page.locator('.cl-panel')
  // JupyterLab has restored its workspace and does not move the focus any more.
  await page.locator('.jp-LauncherCard').first().waitFor()
  await page.locator('li[data-id="community-lab-testbed"]').click()
  await isLive()
})
afterEach(async () => {
  await page.context().close()
  for (const slice of await lab.slices.list()) await slice.release()
})

const isLive = (): Promise<void> => page.locator('.cl-panel[data-connection="live"]').waitFor()
const sliversIn = (state: string): Promise<void> =>
  panel.locator(`[data-sliver][data-state="${state}"]`).nth(1).waitFor()

describe('the Testbed panel', () => {
  it('shows the nodes with their states, and the next step while there is no slice', async () => {
    for (const name of ['n1', 'n2'])
      await panel.locator(`[data-node="${name}"][data-state="production"]`).waitFor()
    expect(await panel.innerText()).toMatch(/nodes \(2\)/iu)
    expect(await panel.innerText()).toContain('notebooks/01-first-slice.ipynb')
  })

  it('shows a slice as it appears, each state of its slivers, and its end', async () => {
    const slice = await lab.slices.ensure('shown', { template: 'tiny', nodes: ['n1', 'n2'] })
    await panel.locator('[data-slice="shown"]').waitFor()
    await sliversIn('started')
    expect(await panel.locator('[data-slice="shown"]').innerText()).toContain('2 of 2 started')
    expect(await panel.locator('[data-node="n1"]').innerText()).toContain('1 sliver')
    expect(await panel.locator('[data-slice="shown"]').innerText()).toMatch(
      /ends .*\d{4}.* [A-Z]{3}/u,
    )
    await slice.release()
    await panel.locator('[data-slice="shown"]').waitFor({ state: 'detached' })
  })

  it('shows a stopped node as offline, and its return', async () => {
    await testbed.control.node('n2', 'stop')
    await panel.locator('[data-node="n2"][data-state="offline"]').waitFor()
    await testbed.control.node('n2', 'start')
    await panel.locator('[data-node="n2"][data-state="production"]').waitFor()
  })

  it('reports that the server is lost, keeps the last state, and recovers by itself', async () => {
    await testbed.control.server('kill')
    await page.locator('.cl-panel[data-connection="lost"]').waitFor()
    expect(await panel.getByRole('status').innerText()).toMatch(
      /Lost the testbed: .*Trying again at .*What is shown is from before/su,
    )
    expect(await panel.locator('[data-node]').count()).toBe(2)
    await testbed.control.server('start')
    await isLive()
    await lab.slices.ensure('after', { template: 'tiny', nodes: ['n1', 'n2'] })
    await panel.locator('[data-slice="after"]').waitFor()
  })

  it('tries again on request, and reports another failure', async () => {
    await testbed.control.server('stop')
    const retry = panel.getByRole('button', { name: 'Retry now' })
    await retry.waitFor()
    const asked = page.waitForRequest((request) => request.url().includes('/communitylab/'))
    await retry.click()
    await asked
    await retry.waitFor()
    await testbed.control.server('start')
    await isLive()
  })

  it('is opened, navigated and folded by the keyboard alone', async () => {
    await lab.slices.ensure('keys', { template: 'tiny', nodes: ['n1', 'n2'] })
    await panel.locator('[data-slice="keys"]').waitFor()
    await page.locator('li[data-id="filebrowser"]').click()
    await panel.waitFor({ state: 'hidden' })
    await page.keyboard.press('Control+Shift+C')
    await page.locator('.lm-CommandPalette-input:focus').waitFor()
    await page.keyboard.type('Testbed')
    await page.locator('.lm-CommandPalette-item.lm-mod-active', { hasText: 'Testbed' }).waitFor()
    await page.keyboard.press('Enter')
    await page.locator('#community-lab-testbed:focus').waitFor()
    await page.keyboard.press('Tab')
    await panel.getByRole('tree').and(page.locator(':focus')).waitFor()
    // The row with the focus shows what the pointer would show as a tooltip.
    await panel.locator('[data-node="n1"] .cl-tip', { hasText: 'last heard of' }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await panel.locator('[data-slice="keys"] .cl-tip', { hasText: '2 slivers' }).waitFor()
    await page.keyboard.press('Enter')
    await panel.locator('[data-sliver]').first().waitFor({ state: 'hidden' })
    await page.keyboard.press('Space')
    await panel.locator('[data-sliver]').first().waitFor()
  })

  it('has only the visible rows of 5,000 nodes and 5,000 slivers in the page', async () => {
    await lab.slices.ensure('large', { template: 'tiny', nodes: ['n1'] })
    await panel.locator('[data-sliver]').first().waitFor()
    await multiply(page, '**/api/nodes/', (node, index) => {
      const id = index + 1
      return { ...node, id, name: `n${id}` }
    })
    await multiply(page, '**/api/slivers/', (sliver, index) => {
      const node = { uri: '', id: (index % 1_000) + 1, name: `n${index}` }
      return { ...sliver, id: `${sliver.slice?.id ?? 0}@${index}`, node }
    })
    await page.reload()
    await page.locator('.jp-LauncherCard').first().waitFor()
    await page.locator('li[data-id="community-lab-testbed"]').click()
    await panel.getByRole('heading', { name: 'Nodes (5000)' }).waitFor()
    const rows = panel.locator('.cl-item')
    expect(await rows.count()).toBeLessThan(120)
    await page.keyboard.press('Tab')
    await panel.getByRole('tree').focus()
    await page.keyboard.press('End')
    await panel.locator('[data-sliver$="@4999"][data-active="true"]').waitFor()
    expect(await rows.count()).toBeLessThan(120)
  })

  it('has one connection for all tabs of a browser, and draws nothing while it is hidden', async () => {
    await page.locator('li[data-id="filebrowser"]').click()
    await panel.waitFor({ state: 'hidden' })
    await page.evaluate(() => {
      const drawn: unknown[] = []
      Reflect.set(window, 'drawn', drawn)
      const options = { subtree: true, childList: true, attributes: true, characterData: true }
      const shown = document.querySelector('.cl-panel')
      if (shown !== null)
        new MutationObserver((found) => drawn.push(...found)).observe(shown, options)
    })
    const streams: string[] = []
    page.context().on('request', (request) => {
      if (request.url().endsWith('/api/events/')) streams.push(request.url())
    })
    const other = await page.context().newPage()
    await other.goto(jupyter.url)
    await other.locator('.jp-LauncherCard').first().waitFor()
    await other.locator('li[data-id="community-lab-testbed"]').click()
    await lab.slices.ensure('later', { template: 'tiny', nodes: ['n1'] })
    await other.locator('.cl-panel[data-connection="live"] [data-slice="later"]').waitFor()
    expect(streams).toEqual([])
    expect(await page.evaluate(() => (Reflect.get(window, 'drawn') as unknown[]).length)).toBe(0)
    await page.locator('li[data-id="community-lab-testbed"]').click()
    await panel.locator('[data-slice="later"]').waitFor()
    // The tab that had the connection is closed, and the other one goes on.
    await page.close()
    await lab.slices.ensure('last', { template: 'tiny', nodes: ['n1'] })
    await other.locator('.cl-panel[data-connection="live"] [data-slice="last"]').waitFor()
    expect(streams).toHaveLength(1)
  })

  it('is as readable in the dark theme as in the light one', async () => {
    const readable = async (): Promise<void> => {
      for (const part of ['.cl-status-text', '.cl-name', '.cl-state', 'h2', '.cl-empty'])
        expect([part, await contrastOf(panel.locator(part).first())]).toEqual([
          part,
          expect.toSatisfy((ratio: number) => ratio >= 4.5),
        ])
    }
    await readable()
    await page.getByRole('menuitem', { name: 'Settings' }).click()
    await page.getByText('Theme', { exact: true }).hover()
    await page.getByText('JupyterLab Dark', { exact: true }).click()
    await page.locator('body[data-jp-theme-light="false"]').waitFor({ state: 'attached' })
    await readable()
  })
})

/** The members of a listed object that are used here. */
interface Listed {
  readonly id: unknown
  readonly slice?: { readonly id: number }
}

/** Make a list that the server answers with 5,000 objects long, each derived from the first. */
async function multiply(
  on: Page,
  url: string,
  make: (first: Listed, index: number) => object,
): Promise<void> {
  await on.route(url, async (route) => {
    const response = await route.fetch()
    const [first] = (await response.json()) as Listed[]
    const many = Array.from(
      { length: 5_000 },
      (_, index) => first !== undefined && make(first, index),
    )
    await route.fulfill({ response, json: many })
  })
}

it('sends requests to this machine only, and no page has an error', () => {
  expect(browser.foreignRequests).toEqual([])
  expect(browser.complaints).toEqual([])
})

it('does not give the page a token of the testbed', async () => {
  const html = await page.content()
  expect(html).not.toContain(testbed.credentials.token)
  const stored = await page.evaluate(() =>
    JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage)]),
  )
  expect(stored).not.toContain(testbed.credentials.token)
  const configuration = join(testbed.home, 'jupyter/config/jupyter_lab_config.json')
  expect(await readFile(configuration, 'utf8')).not.toContain(testbed.credentials.token)
})
