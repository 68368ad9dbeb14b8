import { chromium, type Browser, type Page } from 'playwright-core'
import { onTestFailed } from 'vitest'

/** Debian's Chromium, and the requests of its pages. */
export interface TestBrowser extends AsyncDisposable {
  readonly browser: Browser
  /** Open an address in a browser context of its own. When the test fails, its report has a description of the page. */
  open(url: string): Promise<Page>
  /** All requests of pages to hosts other than this machine. */
  readonly foreignRequests: readonly string[]
  /** Uncaught exceptions of pages. */
  readonly complaints: readonly string[]
}

const ownHosts = new Set(['127.0.0.1', 'localhost'])

/** Start Chromium. */
export async function startBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    // Chromium's sandbox does not run as root, and /dev/shm is small in containers.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  })
  const foreignRequests: string[] = []
  const complaints: string[] = []
  return {
    browser,
    foreignRequests,
    complaints,
    async open(url) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
      const page = await context.newPage()
      const look = (address: string): void => {
        const { protocol, hostname } = new URL(address)
        const isOwn = ownHosts.has(hostname) || protocol === 'data:' || protocol === 'blob:'
        if (!isOwn) foreignRequests.push(address)
      }
      page.on('request', (request) => look(request.url()))
      page.on('websocket', (socket) => look(socket.url()))
      page.on('pageerror', (error) => complaints.push(String(error)))
      onTestFailed(async () => {
        if (!page.isClosed()) console.error(await describePage(page))
      })
      await page.goto(url)
      return page
    },
    [Symbol.asyncDispose]: () => browser.close(),
  }
}

/** Describe a page for the report of a failure: its address without the token, its kernel's state, its text. */
async function describePage(page: Page): Promise<string> {
  const indicator = page.locator('.jp-Notebook-ExecutionIndicator')
  const kernel = await indicator.evaluateAll((all) => all.map((one) => one.outerHTML.slice(0, 300)))
  const text = await page.locator('body').innerText()
  return [new URL(page.url()).pathname, ...kernel, text.slice(0, 6_000)].join('\n')
}
