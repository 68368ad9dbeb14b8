import { closeSync, existsSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'

const maxBytes = 4 << 20

/**
 * The limited log of a process. At 4 MiB it becomes `<file>.1`, replacing the one before, and a new log begins.
 *
 * Logging never throws, because a full disk must not end the process that logs. The log counts what could not be written, and reports it as soon as something
 * can be written again.
 */
export class LogFile {
  readonly file: string
  #descriptor: number
  #bytes: number
  #lastLine = ''
  /** The part that was lost since the last successful write, and the reason. */
  #lost = { bytes: 0, reason: '' }

  /** Open the log for appending. */
  constructor(file: string) {
    this.file = file
    this.#descriptor = openSync(file, 'a', 0o644)
    this.#bytes = fstatSync(this.#descriptor).size
  }

  /** The last line of the process that is not empty or a part of a stack, shortened to 300 characters. */
  get lastLine(): string {
    return this.#lastLine
  }

  /** Append output of the process. It is small and rare, so it is written at once, and nothing is lost when the pod is killed. */
  write(chunk: Buffer): void {
    this.#append(chunk)
    const line = chunk.toString().split('\n').findLast(saysSomething)
    if (line !== undefined) this.#lastLine = line.trim().slice(0, 300)
  }

  /** Append a remark about the process itself. */
  note(text: string): void {
    this.#append(remark(text))
  }

  #append(bytes: Buffer): void {
    const { bytes: lost, reason } = this.#lost
    const told = lost === 0 ? bytes : Buffer.concat([lossOf(lost, reason), bytes])
    let written = 0
    try {
      if (this.#bytes + told.length > maxBytes) this.#rotate()
      // A disk that is almost full may accept only a part.
      while (written < told.length) written += writeSync(this.#descriptor, told, written)
      this.#lost = { bytes: 0, reason: '' }
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      this.#lost = { bytes: lost + Math.min(bytes.length, told.length - written), reason: why }
    }
    this.#bytes += written
  }

  #rotate(): void {
    // The file is missing when an earlier rotation failed halfway.
    if (existsSync(this.file)) renameSync(this.file, `${this.file}.1`)
    const next = openSync(this.file, 'a', 0o644)
    closeSync(this.#descriptor)
    this.#descriptor = next
    this.#bytes = 0
  }

  /** Close it. */
  close(): void {
    closeSync(this.#descriptor)
  }
}

function remark(text: string): Buffer {
  return Buffer.from(`--- ${new Date().toISOString()} ${text}\n`)
}

/** Return a remark on a line of its own, because the last line may have been written only in part. */
function lossOf(bytes: number, reason: string): Buffer {
  const said = remark(`${bytes} bytes of this log were lost: ${reason}`)
  return Buffer.concat([Buffer.from('\n'), said])
}

/** Tell whether a line is a message, and not a stack frame or what Node.js prints around an uncaught error. */
function saysSomething(line: string): boolean {
  return /^[^\s}]/u.test(line) && !line.startsWith('Node.js v')
}
