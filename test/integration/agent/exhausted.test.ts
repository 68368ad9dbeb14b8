import { execFile } from 'node:child_process'
import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const program = join(import.meta.dirname, 'process/exhausted.ts')
/** A user that nobody else has, so that its processes are counted for this test alone. */
const uid = '64242'

async function run(prefix: readonly string[], what: string): Promise<unknown> {
  const dir = await mkdtemp(join(tmpdir(), 'exhausted-'))
  await chmod(dir, 0o777)
  const [command, ...args] = [...prefix, process.execPath, program, what, dir]
  const { stdout } = await promisify(execFile)(command, args)
  return JSON.parse(stdout)
}

it('goes on when no file can be opened: what needs a program fails, and says why', async () => {
  expect(await run(['prlimit', '--nofile=60:60'], 'files')).toEqual({
    command: expect.stringContaining('EMFILE') as string,
    catcher: expect.stringContaining('EMFILE') as string,
    tincd: expect.stringContaining('EMFILE') as string,
    'command afterwards': 'done',
  })
})

it.runIf(process.getuid?.() === 0)(
  'goes on when no process can be started: what needs a program fails, and says why',
  async () => {
    // The threads of Node.js count, too; the limit is set when they are there.
    const drop = ['setpriv', `--reuid=${uid}`, '--clear-groups']
    expect(await run(drop, 'processes')).toEqual({
      command: expect.stringContaining('EAGAIN') as string,
      catcher: expect.stringContaining('EAGAIN') as string,
      tincd: expect.stringContaining('EAGAIN') as string,
    })
  },
)
