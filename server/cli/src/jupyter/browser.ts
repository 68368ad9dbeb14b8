import { spawn } from 'node:child_process'
import process from 'node:process'
import type { Context } from '../context.ts'

/**
 * Open a page in the user's browser, if there is a screen. Failing to open one is no error, because the address is printed too.
 */
export function openBrowser({ env }: Context, url: string): void {
  const screen = [env['DISPLAY'], env['WAYLAND_DISPLAY'], env['BROWSER']]
  if (process.platform === 'linux' && screen.every((each) => (each ?? '') === '')) return
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open'
  const opener = spawn(program, [url], { stdio: 'ignore', detached: true })
  // Without such a program the user opens the printed address.
  opener.on('error', () => undefined)
  opener.unref()
}
