import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'

const maxBytes = 4 << 20

/** The bounded log of a process: at 4 MiB it becomes `<file>.1`, replacing the one before, and a new one begins. */
export class LogFile {
  readonly file: string
  #descriptor: number
  #bytes: number
  #lastLine = ''

  /** Open the log for appending. */
  constructor(file: string) {
    this.file = file
    this.#descriptor = openSync(file, 'a', 0o644)
    this.#bytes = fstatSync(this.#descriptor).size
  }

  /** The last line that the process wrote and that says something, shortened to 300 characters. */
  get lastLine(): string {
    return this.#lastLine
  }

  /** Append. Output is small and rare, so it is written at once: nothing is lost when the pod is killed. */
  write(chunk: Buffer): void {
    this.#append(chunk)
    const line = chunk.toString().split('\n').findLast(saysSomething)
    if (line !== undefined) this.#lastLine = line.trim().slice(0, 300)
  }

  /** Append a remark about the process itself. */
  note(text: string): void {
    this.#append(Buffer.from(`--- ${new Date().toISOString()} ${text}\n`))
  }

  #append(bytes: Buffer): void {
    if (this.#bytes + bytes.length > maxBytes) this.#rotate()
    writeSync(this.#descriptor, bytes)
    this.#bytes += bytes.length
  }

  #rotate(): void {
    closeSync(this.#descriptor)
    renameSync(this.file, `${this.file}.1`)
    this.#descriptor = openSync(this.file, 'a', 0o644)
    this.#bytes = 0
  }

  /** Close it. */
  close(): void {
    closeSync(this.#descriptor)
  }
}

/** Not a stack frame nor what Node.js prints around an error that nobody caught. */
function saysSomething(line: string): boolean {
  return /^[^\s}]/u.test(line) && !line.startsWith('Node.js v')
}
