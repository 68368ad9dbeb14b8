import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** Characters of text that one cell may show: more would freeze the page. */
export const maxShownLength = 8 * 1024 * 1024
/** Characters beyond those that are kept in a file. */
export const maxKeptLength = 256 * 1024 * 1024

/** Bounds what one cell prints: first shown, then kept in a file, then dropped, and each step is told. */
export interface OutputCap {
  /** Take some printed text. Returns what of it to show, and a notice the first time that a bound is passed. */
  admit(text: string): { readonly shown: string; readonly notice: string | null }
}

/** Make the bound of one cell; the file is only made when it is needed. */
export function createOutputCap(folder: string, fileName: string): OutputCap {
  const file = join(folder, fileName)
  let total = 0
  return {
    admit(text) {
      const before = total
      total += text.length
      if (total <= maxShownLength) return { shown: text, notice: null }
      const shown = before < maxShownLength ? headOf(text, maxShownLength - before) : ''
      const rest = text.slice(shown.length)
      if (total <= maxShownLength + maxKeptLength) keep(folder, file, rest)
      if (before <= maxShownLength)
        return {
          shown,
          notice: `\n[this cell has printed more than ${maxShownLength / 2 ** 20} MiB; what follows is in ${file}]\n`,
        }
      const bound = maxShownLength + maxKeptLength
      if (before <= bound && total > bound)
        return {
          shown,
          notice: `[${file} has reached ${maxKeptLength / 2 ** 20} MiB; what follows is dropped]\n`,
        }
      return { shown, notice: null }
    },
  }
}

/** As much of the beginning of a longer text, or one less where that would halve a surrogate pair. */
function headOf(text: string, length: number): string {
  const isPair = (text.codePointAt(length - 1) ?? 0) > 0xffff
  return text.slice(0, isPair ? length - 1 : length)
}

function keep(folder: string, file: string, text: string): void {
  mkdirSync(folder, { recursive: true })
  appendFileSync(file, text, { mode: 0o600 })
}
