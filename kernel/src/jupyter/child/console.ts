import { StringDecoder } from 'node:string_decoder'
import process from 'node:process'
import { currentCell } from './cell.ts'
import type { StreamBuffer } from './stream-buffer.ts'
import type { StreamName } from './protocol.ts'

/**
 * Redirect everything that this process prints (console, process.stdout, process.stderr) to the cell that caused it. `hear` is called with the text of standard
 * output.
 */
export function captureOutput(buffer: StreamBuffer, hear: (text: string) => void): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const decoder = new StringDecoder('utf8')
    const write = (chunk: unknown, encoding?: unknown, callback?: unknown): boolean => {
      const text = typeof chunk === 'string' ? chunk : decoder.write(toBuffer(chunk))
      print(buffer, name, text)
      if (name === 'stdout') hear(text)
      const done = typeof encoding === 'function' ? encoding : callback
      if (typeof done === 'function') queueMicrotask(() => void Reflect.apply(done, null, []))
      return true
    }
    process[name].write = write
  }
}

/** Print text in the cell that runs now. */
export function print(buffer: StreamBuffer, name: StreamName, text: string): void {
  const cell = currentCell()
  if (cell === null) {
    buffer.write(0, name, text)
    return
  }
  const { shown, notice } = cell.cap.admit(text)
  buffer.write(cell.number, name, shown)
  if (notice !== null) buffer.write(cell.number, 'notice', notice)
}

function toBuffer(chunk: unknown): Buffer {
  return chunk instanceof Uint8Array ? Buffer.from(chunk) : Buffer.from(String(chunk))
}
