import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { leftovers, noteTraces } from '../support/traces.ts'

const checkout = resolve(import.meta.dirname, '../..')
let home: string
let npm: ChildProcess | null

beforeEach(async () => {
  // Too long for the path of a Unix socket, with letters that a shell and a URL have to be told of.
  home = await mkdtemp(join(tmpdir(), `start ü (1) & co ${'long '.repeat(20)}-`))
})
afterEach(async () => {
  npm?.kill('SIGTERM')
  await rm(home, { recursive: true, force: true })
})

/** Start as a user does, in a process group of its own as at a terminal, and wait until all is up. */
async function startAll() {
  const ports = ['--port', String(await freePort()), '--jupyter-port', String(await freePort())]
  const args = ['start', '--', '--nodes', '1', '--no-browser', ...ports]
  const child = spawn('npm', args, {
    cwd: checkout,
    env: { ...process.env, COMMUNITY_LAB_HOME: home },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  npm = child
  let text = ''
  for await (const chunk of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    if (text.includes('Ctrl-C stops both')) break
  }
  expect(text).toContain('Ctrl-C stops both')
  const traces = await noteTraces({ home, launcherPid: child.pid ?? 0 })
  // npm, the set-up, the command line, JupyterLab, the testbed with its pod, server and node.
  expect(traces.processes.length).toBeGreaterThan(10)
  return { child, traces }
}

it.each(['SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
  'ends all of npm start when npm gets %s, and leaves nothing',
  async (how) => {
    const { child, traces } = await startAll()
    const ended = once(child.stdout.resume(), 'end')
    child.kill(how)
    // The pipe ends when the last process that has it ends.
    await ended
    expect(await leftovers(traces)).toEqual([])
  },
)

it('starts again after everything of it was killed', async () => {
  const { child, traces } = await startAll()
  const ended = once(child.stdout.resume(), 'end')
  for (const { pid } of traces.processes)
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      // ESRCH: it has gone with another.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  await ended
  const again = await startAll()
  const endedAgain = once(again.child.stdout.resume(), 'end')
  again.child.kill('SIGTERM')
  await endedAgain
  expect(await leftovers(again.traces)).toEqual([])
})
