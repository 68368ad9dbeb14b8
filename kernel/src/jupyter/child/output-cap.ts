import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bundle, Failure } from './protocol.ts'

/** The most characters that one cell may show: printed text, results, displays and errors together. More would freeze the page and bloat the notebook. */
export const maxShownLength = 8 * 1024 * 1024
/** The most characters beyond those that are written to files. */
export const maxKeptLength = 256 * 1024 * 1024
/** A small output is shown beyond the limit, up to this many more characters for one cell. So a cell that printed too much still shows its result. */
const reserveLength = 1024 * 1024
const smallLength = 64 * 1024
/** How many characters are shown of an output that is too long. */
const headLength = 16 * 1024

/** Limits what one cell shows. Output beyond the limit is written to files. Output beyond a second limit is dropped. A notice tells when each begins. */
export interface OutputCap {
  /** Count characters that another process has shown for the same cell. */
  charge(length: number): void
  /** Count printed text. Returns the part of it to show, and a notice when a limit is passed for the first time. */
  admit(text: string): { readonly shown: string; readonly notice: string | null }
  /**
   * Count a display or a result. Returns the bundle to show: all of it; or the beginning of its text and the path of the file; or null if nothing fits.
   * `replaced` is the size of the output that it replaces.
   */
  admitBundle(
    data: Bundle,
    replaced?: number,
  ): { readonly data: Bundle | null; readonly size: number }
  /** Count an error. Its message and text are cut if they exceed the limit. */
  admitFailure(failure: Failure): Failure
}

const endings: Readonly<Record<string, string>> = {
  'text/html': 'html',
  'image/svg+xml': 'svg',
  'image/png': 'png',
  'image/jpeg': 'jpeg',
  'image/gif': 'gif',
  'application/pdf': 'pdf',
  'application/json': 'json',
}

/** Create the limit of one cell. Its files, `<name>.log`, `<name>-1.html` and so on, are created when the first output needs them. */
export function createOutputCap(folder: string, name: string): OutputCap {
  const log = join(folder, `${name}.log`)
  let shown = 0
  let kept = 0
  let files = 0
  /** The last notice about text that is not shown. */
  let lastNotice: 'nothing' | 'kept' | 'dropped' = 'nothing'

  /** Write text to a file if the second limit allows it. Returns why it is dropped; null when it is in the file. */
  function keep(text: string, write: (folder: string) => void): string | null {
    if (kept + text.length > maxKeptLength)
      return `what this cell keeps in files has reached ${mebibytes(maxKeptLength)}`
    try {
      mkdirSync(folder, { recursive: true })
      write(folder)
    } catch (error) {
      // Such as a full disk. It must not end the cell, which could not be told from an error of the cell's own.
      return `files cannot be written (${error instanceof Error ? error.message : String(error)})`
    }
    kept += text.length
    return null
  }

  /** Return a notice once when text first goes to a file, and once when it is first dropped. */
  function noticeOf(whyDropped: string | null): string | null {
    const before = lastNotice
    const state = whyDropped === null ? 'kept' : 'dropped'
    if (before === state || before === 'dropped') return null
    lastNotice = state
    if (whyDropped !== null)
      return `${before === 'nothing' ? '\n' : ''}[${whyDropped}; what follows is dropped]\n`
    return `\n[this cell has shown more than ${mebibytes(maxShownLength)}; what follows is in ${log}]\n`
  }

  /** Write the richest type of a bundle to a file. Returns a sentence that names the file. */
  function keepBundle(data: Bundle): string {
    const [type, content] = richestOf(data)
    const isBytes = /^(?:image\/(?:png|jpeg|gif)|application\/pdf)$/u.test(type)
    const file = join(folder, `${name}-${++files}.${endings[type] ?? 'txt'}`)
    const bytes = isBytes ? Buffer.from(content, 'base64') : content
    const whyDropped = keep(content, () => writeFileSync(file, bytes, { mode: 0o600 }))
    return whyDropped === null ? `it is in ${file}` : `it is dropped, because ${whyDropped}`
  }

  return {
    charge(length) {
      shown += length
    },
    admit(text) {
      const room = Math.max(0, maxShownLength - shown)
      const head = text.length <= room ? text : headOf(text, room)
      const rest = text.slice(head.length)
      shown += head.length
      if (rest === '') return { shown: text, notice: null }
      const notice = noticeOf(keep(rest, () => appendFileSync(log, rest, { mode: 0o600 })))
      return { shown: head, notice }
    },
    admitBundle(data, replaced = 0) {
      shown -= replaced
      const size = sizeOf(data)
      const limit = maxShownLength + (size <= smallLength ? reserveLength : 0)
      if (shown + size <= limit) {
        shown += size
        return { data, size }
      }
      const text = textOf(data['text/plain'])
      const head =
        text.length > 2_000 ? `${headOf(text, 2_000)}…\n` : text === '' ? '' : `${text}\n`
      const why = `this output has ${mebibytes(size)}, and one cell shows ${mebibytes(maxShownLength)} in all`
      const notice = { 'text/plain': `${head}[${why}; ${keepBundle(data)}]` }
      const noticeSize = sizeOf(notice)
      if (shown + noticeSize > maxShownLength + reserveLength) return { data: null, size: 0 }
      shown += noticeSize
      return { data: notice, size: noticeSize }
    },
    admitFailure(failure) {
      const size = failure.message.length + failure.text.length
      if (shown + size <= maxShownLength) {
        shown += size
        return failure
      }
      const place = keepBundle({ 'text/plain': failure.text })
      return {
        name: cut(failure.name, place),
        message: cut(failure.message, place),
        text: cut(failure.text, place),
      }
    },
  }
}

/** Return the first type that is richer than plain text. */
function richestOf(data: Bundle): readonly [type: string, content: string] {
  const types = Object.keys(data)
  const type = types.find((each) => each !== 'text/plain') ?? 'text/plain'
  return [type, textOf(data[type])]
}

/** Return the size of a bundle in characters. */
export function sizeOf(data: Bundle): number {
  return Object.values(data).reduce<number>((sum, value) => sum + textOf(value).length, 0)
}

function textOf(value: unknown): string {
  // Bundles are normalized before this, so a value is text or JSON.
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)
}

function cut(text: string, place: string): string {
  if (text.length <= headLength) return text
  return `${headOf(text, headLength)}…\n[${text.length - headLength} characters more; ${place}]`
}

/** Return the first `length` characters, or one less where the cut would split a surrogate pair. */
function headOf(text: string, length: number): string {
  const isPair = length > 0 && (text.codePointAt(length - 1) ?? 0) > 0xffff
  return text.slice(0, isPair ? length - 1 : length)
}

function mebibytes(length: number): string {
  return `${Number((length / 2 ** 20).toFixed(1))} MiB`
}
