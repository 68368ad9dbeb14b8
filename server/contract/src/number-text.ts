import { maxIntegerDigits } from './exact-number.ts'
import { encodeNumber } from './field-number.ts'
import type { ExactNumber } from './field-value.ts'

/** How a word that a program wrote as a value is read. */
export type NumberReading =
  | { readonly is: 'number'; readonly value: number | ExactNumber }
  /** Text: the word does not begin like a number, or it is an address, a time or an id. */
  | { readonly is: 'text' }
  /** An error: the word begins like a number but is not one, or it cannot be stored. */
  | { readonly is: 'refused'; readonly reason: string }

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/iu
const notFinite = /^([+-]?)(nan|inf|infinity)$/iu
const beginsLikeNumber = /^[+-]?\.?\d/u
/** IPv4 with a port or a prefix length, `<slice>@<node>`, and words with a colon: IPv6, MAC addresses, times. */
const isNoNumber = /^(?:\d+(?:\.\d+){3}(?:\/\d+)?|\d+@\d+|[^:]*:.*)$/u

/**
 * Read a word in the number formats of shells, awk, C and Python: `.5`, `+5`, `007`, `5.`, `1E3`, `-nan`, `inf`. Integers are exact up to
 * {@link maxIntegerDigits} digits.
 */
export function readNumber(word: string): NumberReading {
  const special = notFinite.exec(word)
  if (special !== null) return { is: 'number', value: readSpecial(special) }
  if (decimal.test(word)) return readDecimal(word)
  if (!beginsLikeNumber.test(word) || isNoNumber.test(word)) return { is: 'text' }
  const reason = `${quote(word)} begins like a number and is none: ${advise(word)}`
  return { is: 'refused', reason }
}

function readSpecial([, sign, name]: RegExpExecArray): ExactNumber {
  if (name?.toLowerCase() === 'nan') return { number: 'nan' }
  return { number: sign === '-' ? '-inf' : 'inf' }
}

function readDecimal(word: string): NumberReading {
  const value = Number(word)
  if (/^[+-]?\d+\.?$/u.test(word) && !Number.isSafeInteger(value)) {
    const digits = word.replace(/^\+/u, '').replace(/\.$/u, '')
    const integer = BigInt(digits)
    if (integer.toString().replace('-', '').length <= maxIntegerDigits)
      return { is: 'number', value: encodeNumber(integer) }
    const reason = `${quote(word)} has more than ${maxIntegerDigits} digits: write 1e40 for a number that may be rounded, or text in double quotes`
    return { is: 'refused', reason }
  }
  if (Number.isFinite(value)) return { is: 'number', value }
  return { is: 'refused', reason: `${quote(word)} is beyond the largest number, 1.8e308` }
}

function advise(word: string): string {
  if (/,\w+=/u.test(word)) return 'separate fields by blanks, not by commas'
  const [, number, unit] = /^([+-]?[\d.]+)([a-z%]+)$/iu.exec(word) ?? []
  if (/^[+-]?0x[0-9a-f]+$/iu.test(word)) return 'write it in decimal, or as text in double quotes'
  if (/^[+-]?\d+,\d+$/u.test(word)) return `write ${word.replace(',', '.')}, with a point`
  if (/^[+-]?\d+(?:[_,'’]\d+)+$/u.test(word))
    return `write ${word.replaceAll(/[_,'’]/gu, '')}, without separators`
  if (number !== undefined && unit !== undefined && decimal.test(number))
    return `write ${number} and the unit into the field's name, or text in double quotes`
  return 'write text in double quotes'
}

function quote(word: string): string {
  return JSON.stringify(word.slice(0, 40))
}
