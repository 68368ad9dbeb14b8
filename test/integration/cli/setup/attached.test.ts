import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const program = fileURLToPath(new URL('world/attached-program.mjs', import.meta.url))
let folder: string
let started: ChildProcess | null

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lab-attached-'))
})
afterEach(async () => {
  started?.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

/** Start a program in a process group of its own, as at a terminal, and wait until it has said something. */
async function start(argv: readonly string[]): Promise<{ child: ChildProcess; pipe: Readable }> {
  const [command = '', ...args] = argv
  const child = spawn(command, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  started = child
  await once(child.stdout, 'data')
  return { child, pipe: child.stdout }
}

it.each(['SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
  'ends what npm start runs when npm gets %s',
  async (how) => {
    // A shell stays between, as with some shells it always does.
    const script = `"${process.execPath}" "${program}"; true`
    await writeFile(join(folder, 'package.json'), JSON.stringify({ scripts: { start: script } }))
    const { child, pipe } = await start(['npm', 'start', '--silent'])
    child.kill(how)
    // The pipe ends when the last process that has it ends.
    await expect(once(pipe, 'end')).resolves.toEqual([])
  },
)

it('stops without a trace when nobody reads any more what it prints', async () => {
  const script = `
    const { listenForStop } = await import(${JSON.stringify(new URL('../../../../server/cli/setup/setup.mjs', import.meta.url))})
    const { signal } = listenForStop()
    const timer = setInterval(() => process.stdout.write('progress\\n'), 20)
    signal.addEventListener('abort', () => clearInterval(timer))
  `
  const argv = [process.execPath, '--input-type=module', '--eval', script]
  const { child, pipe } = await start(argv)
  pipe.destroy()
  await expect(once(child, 'exit')).resolves.toEqual([0, null])
})

it('ends what it runs when it is killed itself', async () => {
  const { child, pipe } = await start([process.execPath, program])
  child.kill('SIGKILL')
  await expect(once(pipe, 'end')).resolves.toEqual([])
})
