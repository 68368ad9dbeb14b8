import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { PassThrough, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { runCli } from '../../../../server/cli/src/cli.ts'
import type { Context } from '../../../../server/cli/src/context.ts'
import { secretsFrom } from '../../../../server/cli/src/output/secrets.ts'

const checkout = resolve(fileURLToPath(new URL('../../../../', import.meta.url)))

/** A checkout of the command line's own, with the real set-up of this one and a testbed program that needs no privileges. */
export interface Place extends AsyncDisposable {
  readonly checkout: string
  readonly home: string
  /** Run a command line in it. `interrupt` is its Ctrl-C. */
  run(args: readonly string[], options?: RunOptions): Promise<RunResult>
  write(path: string, content: string | Uint8Array): Promise<string>
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Whether it prints on a terminal. */
  readonly isTTY?: boolean
  /** What the person at the terminal answers; without it nobody can be asked. */
  readonly answer?: boolean
  /** What its input has. */
  readonly input?: string
  readonly signal?: AbortSignal
  /** Sees all that is printed, as it comes. */
  readonly onText?: (text: string) => void
}

export interface RunResult {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Make a place in a temporary folder. */
export async function makePlace(): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), 'lab cli ü (1) & co-'))
  const home = join(root, '.community-lab')
  await mkdir(home)
  const links = [
    ['server/cli/setup', join(checkout, 'server/cli/setup')],
    ['.venv', join(checkout, '.venv')],
    [
      'server/vct/dist/main.bundle.js',
      fileURLToPath(new URL('testbed-program.ts', import.meta.url)),
    ],
  ] as const
  for (const [path, target] of links) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    if (existsSync(target)) await symlink(target, join(root, path))
  }
  const write = async (path: string, content: string | Uint8Array): Promise<string> => {
    const file = join(root, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
    return file
  }
  return {
    checkout: root,
    home,
    write,
    async run(
      args,
      {
        env = {},
        cwd = root,
        isTTY = false,
        answer,
        input = '',
        signal = new AbortController().signal,
        onText,
      } = {},
    ) {
      const printed = { out: '', err: '' }
      const sink = (name: 'out' | 'err') => ({
        isTTY,
        write(text: string) {
          printed[name] += text
          onText?.(text)
        },
      })
      const context: Context = {
        checkout: root,
        home,
        cwd,
        env: { ...withoutOurs(process.env), ...env },
        out: sink('out'),
        err: sink('err'),
        confirm:
          answer === undefined
            ? null
            : (question) => {
                printed.err += question
                return Promise.resolve(answer)
              },
        askSecrets: secretsFrom(Readable.from([input]), new PassThrough(), new AbortController()),
        signal,
      }
      const code = await runCli(args, context)
      return { code, ...printed }
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  }
}

function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith('COMMUNITY_LAB_')),
  )
}
