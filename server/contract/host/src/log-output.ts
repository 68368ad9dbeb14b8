import { write, writeSync } from 'node:fs'

/** Where the lines of a log are written. */
export interface LogOutput {
  /** Write a line, which ends with a line feed. Neither waits nor throws. */
  write(line: string): void
}

/** Options of {@link createLogOutput}. */
export interface LogOutputOptions {
  /** The program's name in the log. */
  readonly name: string
  /** The open file; default: standard output. */
  readonly fd?: number
  /** The most characters that wait to be written; default: 1 Mi. */
  readonly maxCharacters?: number
}

const lineFeed = 0x0a
const againAfterMs = 100

/**
 * Make an output that a program never waits for. Lines that arrive during a write are written together after it. Lines are dropped when the file accepts none,
 * as on a full disk, and when too many wait. A line reports the number of dropped lines as soon as lines can be written again.
 */
export function createLogOutput(options: LogOutputOptions): LogOutput {
  const { name, fd = 1, maxCharacters = 1024 * 1024 } = options
  let waiting: string[] = []
  let characters = 0
  let dropped = 0
  let isWriting = false
  /** Whether the last write ended in the middle of a line. */
  let isTorn = false

  function take(): { readonly lines: number; readonly chunk: Buffer } {
    const told = dropped > 0 ? [tellDropped(name, dropped)] : []
    const text = [...(isTorn ? ['\n'] : []), ...told, ...waiting].join('')
    const lines = waiting.length + dropped
    waiting = []
    characters = 0
    dropped = 0
    return { lines, chunk: Buffer.from(text) }
  }

  function writeWaiting(): void {
    isWriting = waiting.length > 0
    if (!isWriting) return
    const { lines, chunk } = take()
    let from = 0
    const writeRest = (): void => {
      write(fd, chunk, from, chunk.length - from, null, (error, bytes) => {
        // The pipe is full. Another program has made it non-blocking.
        if (error?.code === 'EAGAIN') {
          setTimeout(writeRest, againAfterMs).unref()
          return
        }
        if (error === null) from += bytes
        if (from > 0) isTorn = chunk[from - 1] !== lineFeed
        if (error === null && from < chunk.length) {
          writeRest()
          return
        }
        if (error !== null) dropped += lines
        writeWaiting()
      })
    }
    writeRest()
  }

  process.once('exit', () => {
    if (waiting.length === 0) return
    try {
      writeSync(fd, take().chunk)
    } catch {
      // The process ends, so these lines cannot be reported any more.
    }
  })

  return {
    write(line) {
      if (characters + line.length > maxCharacters) {
        dropped++
        return
      }
      waiting.push(line)
      characters += line.length
      if (!isWriting) writeWaiting()
    },
  }
}

/** Make a line in the format of pino. */
function tellDropped(name: string, lines: number): string {
  const warn = 40
  const entry = { level: warn, time: Date.now(), pid: process.pid, name, lines }
  return `${JSON.stringify({ ...entry, msg: 'lines of this log could not be written' })}\n`
}
