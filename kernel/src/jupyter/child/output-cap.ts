import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bundle, Failure } from './protocol.ts'

/** Characters that one cell may show, printed or as results, displays and errors: more would freeze the page and swell the notebook. */
export const maxShownLength = 8 * 1024 * 1024
/** Characters beyond those that are kept in files. */
export const maxKeptLength = 256 * 1024 * 1024
/** Small outputs are shown beyond the bound, up to so many characters in all: a cell that printed much still shows its result. */
const reserveLength = 1024 * 1024
const smallLength = 64 * 1024
/** How much of the beginning is shown of a text that is not shown whole. */
const headLength = 16 * 1024

/** Bounds what one cell shows. Output beyond the bound is kept in files, and beyond a second bound dropped. A notice tells of each. */
export interface OutputCap {
  /** Count characters that another process has shown for the same cell. */
  charge(length: number): void
  /** Take some printed text. Returns what of it to show, and a notice the first time that a bound is passed. */
  admit(text: string): { readonly shown: string; readonly notice: string | null }
  /**
   * Take what a display or a result shows. Returns what to show of it: all, or the beginning of its text and where all of it is; null when not even that.
   * `replaced` is the size of the output whose place it takes.
   */
  admitBundle(
    data: Bundle,
    replaced?: number,
  ): { readonly data: Bundle | null; readonly size: number }
  /** Take an error. Its message and text are cut when they are beyond the bound; the beginning stays. */
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

/** Make the bound of one cell. Its files, `<name>.log` and `<name>-1.html` and so on, are made when they are needed. */
export function createOutputCap(folder: string, name: string): OutputCap {
  const log = join(folder, `${name}.log`)
  let shown = 0
  let kept = 0
  let files = 0
  /** What was told last of text that is not shown. */
  let told: 'nothing' | 'kept' | 'dropped' = 'nothing'

  /** Keep some text, if there is room. */
  function keep(text: string, write: (folder: string) => void): boolean {
    if (kept + text.length > maxKeptLength) return false
    kept += text.length
    mkdirSync(folder, { recursive: true })
    write(folder)
    return true
  }

  /** Tell once that text goes to a file, and once that it is dropped. */
  function noticeOf(isKept: boolean): string | null {
    const state = isKept ? 'kept' : 'dropped'
    if (told === state || told === 'dropped') return null
    told = state
    return isKept
      ? `\n[this cell has shown more than ${mebibytes(maxShownLength)}; what follows is in ${log}]\n`
      : `[what this cell keeps in files has reached ${mebibytes(maxKeptLength)}; what follows is dropped]\n`
  }

  /** Keep the richest of a bundle's types in a file. Returns a sentence that says where it is. */
  function keepBundle(data: Bundle): string {
    const [type, content] = richestOf(data)
    const isBytes = /^(?:image\/(?:png|jpeg|gif)|application\/pdf)$/u.test(type)
    const file = join(folder, `${name}-${++files}.${endings[type] ?? 'txt'}`)
    const bytes = isBytes ? Buffer.from(content, 'base64') : content
    return keep(content, () => writeFileSync(file, bytes, { mode: 0o600 }))
      ? `it is in ${file}`
      : 'it is dropped'
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

/** Find the first type that says more than plain text. */
function richestOf(data: Bundle): readonly [type: string, content: string] {
  const types = Object.keys(data)
  const type = types.find((each) => each !== 'text/plain') ?? 'text/plain'
  return [type, textOf(data[type])]
}

/** Characters of a bundle. */
export function sizeOf(data: Bundle): number {
  return Object.values(data).reduce<number>((sum, value) => sum + textOf(value).length, 0)
}

function textOf(value: unknown): string {
  // Bundles are normalized before: text, or JSON.
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)
}

function cut(text: string, place: string): string {
  if (text.length <= headLength) return text
  return `${headOf(text, headLength)}…\n[${text.length - headLength} characters more; ${place}]`
}

/** As much of the beginning of a longer text, or one less where that would halve a surrogate pair. */
function headOf(text: string, length: number): string {
  const isPair = length > 0 && (text.codePointAt(length - 1) ?? 0) > 0xffff
  return text.slice(0, isPair ? length - 1 : length)
}

function mebibytes(length: number): string {
  return `${Number((length / 2 ** 20).toFixed(1))} MiB`
}
