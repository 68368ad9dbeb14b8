import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { copyFile, link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import type { RunReason, RunReport } from '@community-lab/contract'
import { peekDocument, writeDocument } from '../disk/document.ts'
import { exists, isAbsent, isProcessGone } from '../errno.ts'
import type { RunStatus } from '../plan/runs.ts'
import { removeRunCgroup } from '../sliver/host/cgroups.ts'
import { isAlive } from '../sliver/host/process.ts'
import { parseState, type RunEndNote, type RunProgress } from './domain/state.ts'
import { keptRecordFormat, type KeptRecord } from './kept-record.ts'
import { runRecordFormat, type RunRecord } from './record.ts'
import { startFiles, StartTime } from './start-time.ts'

/** The folder of a run on this node: its record, and the files of its supervisor. */
export class RunFolder {
  readonly dir: string
  /** When its program begins. */
  readonly start: StartTime
  #record: RunRecord
  #progress: RunProgress = parseState('')
  #isCancelling = false
  #hasFiles = false
  #kept: KeptRecord | null = null

  constructor(dir: string, record: RunRecord) {
    this.dir = dir
    this.start = new StartTime(dir)
    this.#record = record
  }

  get record(): RunRecord {
    return this.#record
  }

  /** The archive of its program's files, while the program has not begun. */
  get files(): string {
    return join(this.dir, 'files.tar')
  }

  /** Take the archive of its program's files. What is there is complete. */
  async takeFiles(archive: string): Promise<void> {
    const draft = `${this.files}.part`
    await rm(draft, { force: true })
    // The agent may remove its own name of the archive before the run has begun.
    await link(archive, draft).catch(() => copyFile(archive, draft))
    await rename(draft, this.files)
    this.#hasFiles = true
  }

  /** Remove the archive of its program's files, and what was begun of it. */
  async dropFiles(): Promise<void> {
    this.#hasFiles = false
    for (const file of [this.files, `${this.files}.part`]) await rm(file, { force: true })
  }

  /** Read what the supervisor has written since the last call. */
  async refresh(): Promise<void> {
    this.#progress = parseState((await readIfThere(join(this.dir, 'state'))) ?? '')
    this.#isCancelling = (await readIfThere(join(this.dir, 'cancel'))) !== null
    this.#hasFiles = await exists(this.files)
    if (this.#record.keep === undefined || this.#kept !== null || this.#record.isSent) return
    const found = await peekDocument(this.#keptPath, keptRecordFormat)
    // Without a list that can be read, the files are taken once more.
    this.#kept = found.kind === 'read' ? found.value : null
  }

  /** The files that it keeps, once they were taken out of the sliver; null: they were not yet, or it keeps none. */
  get kept(): KeptRecord | null {
    return this.#kept
  }

  /** The folder of the contents of these files. */
  get keptDir(): string {
    return join(this.dir, 'kept')
  }

  /** Note the files that it keeps. Their contents are on the disk. */
  async noteKept(kept: KeptRecord): Promise<void> {
    await writeDocument(this.#keptPath, keptRecordFormat, kept)
    this.#kept = kept
  }

  /** Read the content of a file that it keeps from a position on. */
  readKept(file: number, atByte: number, mostBytes: number): Buffer {
    return readPart(join(this.keptDir, String(file)), atByte, mostBytes).bytes
  }

  async save(changes: Partial<RunRecord>): Promise<void> {
    const next = { ...this.#record, ...changes }
    await mkdir(this.dir, { recursive: true, mode: 0o700 })
    await writeDocument(join(this.dir, 'run.json'), runRecordFormat, next)
    this.#record = next
  }

  status(): RunStatus {
    const { id, sliver, recordedMs, isSent, closed } = this.#record
    const { begunUs, end } = this.#progress
    const isEnded = end !== null || closed !== null
    return {
      ...{ id, sliver, recordedMs, isSent },
      state: isEnded ? 'ended' : begunUs === null ? 'waiting' : 'running',
      isSupervised: this.#isSupervised(),
      isCancelling: this.#isCancelling,
      hasFiles: this.#hasFiles,
      keeps: this.#filesState(),
    }
  }

  /** Report the run to the server. */
  report(): RunReport {
    const { id, sliver, closed, outputBytes } = this.#record
    const { begunUs, end } = this.#progress
    const { state } = this.status()
    const reason: RunReason | null = end?.reason ?? closed?.reason ?? null
    return {
      id,
      sliver,
      state,
      started_on: toTime(begunUs),
      ended_on: toTime(end?.timeUs ?? null),
      exit_code: end?.exitCode ?? null,
      signal: end?.signal ?? null,
      reason,
      message: describeKills(end) ?? readMessage(end?.message ?? closed?.message ?? null),
      output_bytes: state === 'ended' ? (end?.outputBytes ?? outputBytes) : 0,
      lost_bytes: end?.lostBytes ?? 0,
      has_end_row: state === 'ended' && this.#hasEndRow(),
    }
  }

  /** The row of its end, as fields of a sample; null: it has not begun, so it has no samples. */
  endRow(): { readonly run: string; readonly exit_code: number } | null {
    const { begunUs, end } = this.#progress
    if (begunUs === null) return null
    const { exitCode = null, signal: by = null } = end ?? {}
    return { run: this.#record.id, exit_code: exitCode ?? (by === null ? 255 : 128 + by) }
  }

  /** Let the supervisor end the run. */
  async cancel(): Promise<void> {
    await writeFile(join(this.dir, 'cancel'), '')
    const { supervisor } = this.#progress
    if (supervisor === null || !isAlive(supervisor)) return
    signal(supervisor.pid, 'SIGTERM')
  }

  /** End whatever a killed supervisor has left running. */
  async killLeft(): Promise<void> {
    const { cgroup } = this.#record
    if (cgroup !== null) return removeRunCgroup(cgroup)
    const { program, supervisor } = this.#progress
    if (program === null || supervisor === null) return
    // The program leads a process group.
    if (isAlive({ ...program, bootId: supervisor.bootId })) signal(-program.pid, 'SIGKILL')
  }

  /** The number of bytes of output on the disk. */
  async outputSize(): Promise<number> {
    try {
      return (await stat(this.#output)).size
    } catch (error) {
      if (isAbsent(error)) return 0
      throw error
    }
  }

  /** Read output from a position on. Empty when there is no more. */
  readOutput(
    atByte: number,
    mostBytes: number,
  ): { readonly bytes: Buffer; readonly isLast: boolean } {
    try {
      return readPart(this.#output, atByte, mostBytes)
    } catch (error) {
      if (isAbsent(error)) return { bytes: Buffer.alloc(0), isLast: true }
      throw error
    }
  }

  /** Note that all of the output is in the spool, and remove what only the program needed. */
  async noteSent(outputBytes: number): Promise<void> {
    await this.save({ isSent: true, outputBytes, hasEndRow: this.#hasEndRow() })
    const left = ['output', 'process.json', 'pid', 'first', 'runtime.log', 'cancel', 'files.tar']
    left.push(...startFiles)
    await Promise.all(left.map((name) => rm(join(this.dir, name), { force: true })))
    await rm(this.keptDir, { recursive: true, force: true })
    await rm(this.#keptPath, { force: true })
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true })
  }

  get #output(): string {
    return join(this.dir, 'output')
  }

  get #keptPath(): string {
    return join(this.dir, 'kept.json')
  }

  /** A program that has not begun has made no files. */
  #filesState(): RunStatus['keeps'] {
    const { keep } = this.#record
    if (keep === undefined || this.#progress.begunUs === null) return null
    const { sliceInstanceSn, instanceSn } = keep
    return { sliceInstanceSn, instanceSn, areTaken: this.#kept !== null }
  }

  #hasEndRow(): boolean {
    const { begunUs, end } = this.#progress
    if (!this.#record.isSent) return begunUs !== null
    return this.#record.hasEndRow ?? end?.hasEndRow ?? false
  }

  #isSupervised(): boolean {
    const { supervisor } = this.#progress
    return supervisor !== null && isAlive(supervisor)
  }
}

/** Read a part of a file. */
function readPart(
  path: string,
  atByte: number,
  mostBytes: number,
): { readonly bytes: Buffer; readonly isLast: boolean } {
  const file = openSync(path, 'r')
  try {
    const size = fstatSync(file).size
    const bytes = Buffer.alloc(Math.max(0, Math.min(mostBytes, size - atByte)))
    const read = readSync(file, bytes, 0, bytes.length, atByte)
    return { bytes: bytes.subarray(0, read), isLast: atByte + read >= size }
  } finally {
    closeSync(file)
  }
}

function describeKills(end: RunEndNote | null): string | null {
  if (end === null || end.killed === 0) return null
  const processes = end.killed === 1 ? 'a process' : `${end.killed} processes`
  return `the kernel has killed ${processes} of the sliver meanwhile, because it had no memory left`
}

/** Return the sentence in a line of a runtime's log. Source: runc writes `msg="…"`. */
function readMessage(line: string | null): string | null {
  const message = line === null ? null : (/msg="((?:[^"\\]|\\.)*)"/u.exec(line)?.[1] ?? line)
  return message?.replaceAll('\\"', '"').slice(0, 1024) ?? null
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!isProcessGone(error)) throw error
  }
}

function toTime(us: number | null): string | null {
  return us === null ? null : new Date(us / 1000).toISOString()
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
}
