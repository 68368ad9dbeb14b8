import { spawn } from 'node:child_process'
import { createHash, type Hash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, open, readFile, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { maxKeptBytes, maxKeptFiles, messageOf } from '@community-lab/contract'
import { startedProcess, syncFolder } from '@community-lab/contract/host'
import { isFull, isProcessGone } from '../errno.ts'
import { removeRunCgroup } from '../sliver/host/cgroups.ts'
import { systemPath } from '../sliver/host/command.ts'
import type { ProgramStart, SliverProgram } from '../sliver/program.ts'
import { keepScript, KeptReader } from './domain/kept.ts'
import type { KeptRecord } from './kept-record.ts'

/** The longest time in which a sliver may give its files, in milliseconds. */
const collectWithinMs = 120_000

/** What is to be taken out of a sliver. */
export interface Collection {
  /** The folder for the contents and for what the start needs. What is in it is removed. */
  readonly dir: string
  readonly patterns: readonly string[]
  /** See `Slivers.prepareProgram`. */
  readonly prepare: (
    program: Pick<SliverProgram, 'folder' | 'program' | 'hasFiles'>,
  ) => Promise<ProgramStart>
  readonly signal: AbortSignal
}

type Files = KeptRecord['files']

/**
 * Take the files of a run out of its sliver. A program of the sliver itself reads them and writes them into a pipe, so nothing of the host follows a path in the sliver, and what can be
 * read is what the sliver can read. Files that do not come are told with the reason. When this returns, the contents are on the disk.
 *
 * @throws {@link LabError} LAB_SLIVER_STAGE when the sliver does not run; the signal's reason; the error of a full disk.
 */
export async function collectFiles(collection: Collection): Promise<Files> {
  const { dir, patterns, prepare, signal } = collection
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const numbers = [maxKeptBytes, maxKeptFiles].map(String)
  const argv = ['/bin/sh', '-c', keepScript, 'keep', ...numbers, ...patterns]
  const start = await prepare({ folder: dir, program: { argv }, hasFiles: false })
  const contents = new Contents(dir)
  const limit = AbortSignal.timeout(collectWithinMs)
  try {
    await readFrom(start, { dir, contents, signal: AbortSignal.any([signal, limit]) })
  } catch (error) {
    signal.throwIfAborted()
    if (isFull(error)) throw error
    const why = limit.aborted
      ? `the sliver has not given it within ${collectWithinMs / 1000} s`
      : `the sliver did not give it (${messageOf(error)})`
    contents.breakOff(why, patterns)
  } finally {
    await contents.close()
  }
  // The names too: a list of contents that a power cut took could never be sent.
  await syncFolder(dir)
  return contents.files
}

interface Reading {
  readonly dir: string
  readonly contents: Contents
  readonly signal: AbortSignal
}

/** Start the program in the sliver, and read what it writes. Whatever is left of it in the end is killed. */
async function readFrom(start: ProgramStart, { dir, contents, signal }: Reading): Promise<void> {
  // The runtime is entered into the sliver's cgroups before it does anything there, and is killed first when the host has no memory left.
  const enter = `n=$1; shift; echo 1000 > /proc/self/oom_score_adj; while [ $n -gt 0 ]; do echo $$ > "$1" || exit 125; shift; n=$((n - 1)); done; exec "$@"`
  const args = ['-c', enter, 'enter', String(start.procs.length), ...start.procs, ...start.command]
  const child = await startedProcess(
    spawn('/bin/sh', args, {
      cwd: '/',
      env: { PATH: systemPath, LC_ALL: 'C' },
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    }),
  )
  let pid: number | null = null
  let reading: Promise<void> | null = null
  const kill = (): void => {
    if (pid !== null && start.cgroup === null) killGroup(pid)
    if (child.pid !== undefined && child.exitCode === null) killGroup(child.pid)
    child.stdout.destroy()
  }
  signal.addEventListener('abort', kill, { once: true })
  // A program that has ended reads nothing more.
  child.stdin.on('error', () => undefined)
  try {
    signal.throwIfAborted()
    // Node closes it when the runtime has ended, which is before the program reads it.
    child.stdin.end('\n\n')
    reading = read(child.stdout, contents)
    reading.catch(() => undefined)
    const [code] = (await once(child, 'exit', { signal })) as unknown[]
    if (code !== 0) throw new Error(`its runtime has ended with ${String(code)}`)
    pid = Number(await readFile(join(dir, 'pid'), 'utf8'))
    // A runtime may have moved it into other cgroups.
    for (const file of start.procs) await writeFile(file, String(pid)).catch(() => undefined)
    await reading
  } finally {
    signal.removeEventListener('abort', kill)
    kill()
    // It writes no more when this returns.
    await reading?.catch(() => undefined)
    if (start.cgroup !== null) await removeRunCgroup(start.cgroup)
  }
}

/** Read to the last file. */
async function read(answer: AsyncIterable<Buffer>, contents: Contents): Promise<void> {
  for await (const chunk of answer) if (await contents.take(chunk)) return
  throw new Error('it has ended before the last file')
}

/** The files as they come. */
class Contents {
  readonly #dir: string
  readonly #reader = new KeptReader()
  #files: Files = []
  #file: FileHandle | null = null
  #hash: Hash = createHash('sha256')
  #left = 0

  constructor(dir: string) {
    this.#dir = dir
  }

  get files(): Files {
    return this.#files
  }

  /** Take a part of the answer. Returns whether it was the last one. */
  async take(chunk: Buffer): Promise<boolean> {
    for (const part of this.#reader.read(chunk)) {
      if (part.is === 'end') return true
      if (part.is === 'problem') this.#files.push({ ...part.file, sha256: null })
      if (part.is === 'file') await this.#begin(part.path, part.bytes)
      if (part.is === 'content') await this.#write(part.bytes)
    }
    return false
  }

  /** No more comes: the file that has begun is not whole, and nobody knows of others. */
  breakOff(problem: string, patterns: readonly string[]): void {
    const last = this.#files.at(-1)
    if (last !== undefined && this.#left > 0) Object.assign(last, { sha256: null, problem })
    // A pattern of which something came may have had more files.
    const missing = patterns.filter((pattern) => this.#files.every(({ path }) => path !== pattern))
    for (const path of missing) this.#files.push({ path, bytes: null, sha256: null, problem })
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = null
  }

  async #begin(path: string, bytes: number): Promise<void> {
    this.#hash = createHash('sha256')
    this.#left = bytes
    this.#file = await open(join(this.#dir, String(this.#files.length)), 'w', 0o600)
    this.#files.push({ path, bytes, sha256: null, problem: null })
    await this.#endIfWhole()
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes)
    this.#left -= bytes.length
    await this.#file?.writeFile(bytes)
    await this.#endIfWhole()
  }

  async #endIfWhole(): Promise<void> {
    if (this.#left > 0) return
    Object.assign(this.#files.at(-1) ?? {}, { sha256: this.#hash.digest('hex') })
    await this.#file?.sync()
    await this.close()
  }
}

function killGroup(pid: number): void {
  // The program leads a process group, like the command that starts it.
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!isProcessGone(error)) throw error
  }
}
