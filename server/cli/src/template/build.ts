import { createWriteStream } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { LabError } from '@community-lab/contract'
import { startChild } from '../process/child.ts'
import { onLines } from '../process/lines.ts'
import type { BuildCommand } from './debian.ts'

/** Options of a build. */
export interface BuildOptions {
  /** The path of the image, `.tar.gz`. It appears whole or not at all. */
  readonly image: string
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
  /** Called with each line that a program of the build writes. */
  readonly onLine: (line: string) => void
}

/** The lines of a failed program that an error shows. */
const tailLines = 5
const graceMs = 5_000

/**
 * Build the template "tiny" of the Debian packages that are installed here.
 *
 * @throws {@link LabError} LAB_CLI_TEMPLATE_BUILD; an abort throws the signal's reason.
 */
export async function buildTiny(checkout: string, options: BuildOptions): Promise<void> {
  const recipe = pathToFileURL(join(checkout, 'server/cli/setup/tiny-template.mjs')).href
  await build('tiny', options, (dir) => {
    // It runs in its own process, so that it can be stopped at any time.
    const code = `const { buildTinyTemplate } = await import(${JSON.stringify(recipe)}); await buildTinyTemplate(${JSON.stringify(dir)})`
    const argv = [process.execPath, '--input-type=module', '--eval', code]
    return run(argv, { what: 'tiny', ...options })
  })
}

/**
 * Build a root file system by a command that writes a tar archive.
 *
 * @throws {@link LabError} LAB_CLI_TEMPLATE_BUILD; an abort throws the signal's reason.
 */
export async function buildBy(
  what: string,
  { argv, env }: BuildCommand,
  options: BuildOptions,
): Promise<void> {
  await build(what, options, (dir) =>
    run(argv, {
      what,
      ...options,
      env: { ...options.env, ...env },
      output: (archive) =>
        // Node's gzip writes no name and no time, so the same archive gives the same image.
        pipeline(archive, createGzip({ level: 6 }), createWriteStream(join(dir, `${what}.tar.gz`))),
    }),
  )
}

async function build(
  what: string,
  { image }: BuildOptions,
  make: (dir: string) => Promise<void>,
): Promise<void> {
  const dir = await mkdtemp(join(dirname(image), `.${basename(image)}-`)).catch(
    (cause: unknown) => {
      throw new LabError('LAB_CLI_NO_FILE', { what: 'folder', file: dirname(image) }, { cause })
    },
  )
  try {
    await make(dir)
    await rename(join(dir, `${what}.tar.gz`), image)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

interface RunOptions extends BuildOptions {
  readonly what: string
  /** Takes what the program writes to its standard output. Default: it is lines, too. */
  readonly output?: (stdout: Readable) => Promise<void>
}

async function run(argv: readonly string[], options: RunOptions): Promise<void> {
  const { what, signal, onLine, env, output } = options
  signal.throwIfAborted()
  const child = startChild(argv, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = (): void => void child.stop(graceMs)
  signal.addEventListener('abort', stop, { once: true })
  const tail: string[] = []
  const note = (line: string): void => {
    tail.push(line)
    if (tail.length > tailLines) tail.shift()
    onLine(line)
  }
  try {
    const { stdout, stderr } = child.process
    if (stdout === null || stderr === null) throw new TypeError('the program has no pipes')
    onLines(stderr, note)
    if (output === undefined) onLines(stdout, note)
    // When the program fails, its own words are the reason, not the archive that ends too early.
    const written = output?.(stdout).then(
      () => null,
      (error: unknown) => error,
    )
    const { code, reason } = await child.ended
    signal.throwIfAborted()
    if (code !== 0) throw failed(what, tail.length === 0 ? reason : tail.join('; '))
    const problem = (await written) ?? null
    if (problem !== null) throw failed(what, problem instanceof Error ? problem.message : reason)
  } finally {
    signal.removeEventListener('abort', stop)
    // A build that was stopped still ends its programs before its folder is removed.
    await child.ended
  }
}

function failed(template: string, reason: string): LabError {
  return new LabError('LAB_CLI_TEMPLATE_BUILD', { template, reason })
}
