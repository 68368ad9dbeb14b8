import { LabError } from '@community-lab/contract'

/*
 * TypeScript checks the arguments of a call in a cell, but not those of type `any`: parsed JSON, rows, results of helper functions. So each public call checks
 * its arguments before it sends anything.
 */

/** A kind of argument: its description and its check. */
export interface Kind {
  /** What the argument should be, in words, such as `a text`. */
  readonly expected: string
  is(value: unknown): boolean
}

const kind = (expected: string, is: (value: unknown) => boolean): Kind => ({ expected, is })

/** A text that UTF-8 keeps as it is. A lone surrogate would arrive as another character. */
export const text = kind('a text', (value) => typeof value === 'string' && value.isWellFormed())
export const words = kind('a text that is not empty', (value) => text.is(value) && value !== '')
export const localFile = kind(
  'a path of this machine, without a NUL character',
  (value) => words.is(value) && !String(value).includes('\0'),
)
/** A word of a file's name, which cannot lead to another folder. */
export const fileWord = kind(
  'a word of small letters, digits and hyphens',
  (value) => typeof value === 'string' && /^[a-z0-9][a-z0-9-]{0,62}$/u.test(value),
)
export const textOrBytes = kind(
  'a text or a Uint8Array',
  (value) => text.is(value) || value instanceof Uint8Array,
)
/** For arguments of programs. A number beyond 2^53 may not be the one that was meant, and is written with other digits. */
export const programArgument = kind(
  'a text, a boolean, a bigint or a finite number; an integer beyond 2^53 as a bigint or a text',
  (value) =>
    typeof value === 'number'
      ? Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))
      : text.is(value) || typeof value === 'boolean' || typeof value === 'bigint',
)
export const date = kind(
  'a Date that is a time',
  (value) => value instanceof Date && !Number.isNaN(value.getTime()),
)
export const durationMs = kind(
  'a number of milliseconds from 0 on, or Infinity for no limit',
  (value) => typeof value === 'number' && value >= 0,
)
/** A count that may be Infinity, for limits. */
export const count = kind(
  'a whole number from 0 on, or Infinity for no limit',
  (value) => value === Infinity || (Number.isSafeInteger(value) && Number(value) >= 0),
)
export const aNumber = kind('a finite number', (value) => Number.isFinite(value))
export const aFunction = kind('a function', (value) => typeof value === 'function')
export const abortSignal = kind('an AbortSignal', (value) => value instanceof AbortSignal)
export const yesOrNo = kind('true or false', (value) => typeof value === 'boolean')
export const textMap = kind(
  'an object whose values are texts',
  (value) => isObject(value) && Object.values(value).every(text.is),
)
/** Variables of an environment. Source: POSIX, the names that a shell can assign. */
export const environment = kind(
  'an object of texts whose names are letters, digits and underscores, with no digit first',
  (value) =>
    textMap.is(value) &&
    Object.keys(Object(value) as object).every((name) => /^[A-Za-z_]\w{0,127}$/u.test(name)),
)
/** Names and values of properties. Source: CONFINE, the pattern of names. */
export const propertyMap = kind(
  'an object of texts whose names are two or more lower-case letters, digits and _, with a letter first and no _ at the end',
  (value) =>
    textMap.is(value) &&
    Object.keys(Object(value) as object).every((name) => propertyName.test(name)),
)
const propertyName = /^[a-z][_0-9a-z]*[0-9a-z]$/u
export const fileMap = kind(
  'an object with a text or a Uint8Array for each file',
  (value) =>
    isObject(value) &&
    Object.entries(value).every(([name, content]) => text.is(name) && textOrBytes.is(content)),
)
/** An object that JSON keeps as it is. */
export const jsonObject = kind(
  'an object of texts, finite numbers, booleans, null, Dates, lists and plain objects',
  (value) => isObject(value) && isJson(value, new Set()),
)

/** A whole number within bounds. */
export function wholeNumber(min: number, max: number, unit = ''): Kind {
  const expected = `a whole number${unit === '' ? '' : ` of ${unit}`} from ${min} to ${max}`
  return kind(
    expected,
    (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
  )
}

/** A list of items of one kind, with at least one item. */
export function someOf(item: Kind): Kind {
  const list = listOf(item)
  return kind(
    `${list.expected}, with at least one`,
    (value) => list.is(value) && Array.isArray(value) && value.length > 0,
  )
}

/** One of these texts. */
export function oneOf(...texts: readonly string[]): Kind {
  return kind(texts.join(', '), (value) => typeof value === 'string' && texts.includes(value))
}

/** A list of items of one kind. */
export function listOf(item: Kind): Kind {
  return kind(
    `a list, each item ${item.expected}`,
    (value) => Array.isArray(value) && value.every(item.is),
  )
}

/** Either of two kinds. */
export function either(one: Kind, other: Kind): Kind {
  return kind(`${one.expected}, or ${other.expected}`, (value) => one.is(value) || other.is(value))
}

/** A text, or an object with a member `name`, such as a node. */
export const named = kind(
  'a node or the name of one',
  (value) => text.is(value) || (isObject(value) && text.is(Reflect.get(value, 'name'))),
)

/** Check one argument of a call. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function checkArgument(argument: string, value: unknown, { expected, is }: Kind): void {
  if (is(value)) return
  throw new LabError('LAB_ARGUMENT_INVALID', { argument, found: describeFound(value), expected })
}

/**
 * Check the options of a call. An option that is missing or undefined passes. An option that the call does not know is refused.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID.
 */
export function checkOptions(
  call: string,
  options: unknown,
  kinds: Readonly<Record<string, Kind>>,
): void {
  checkArgument(`the options of ${call}`, options, anObject)
  for (const [name, value] of Object.entries(Object(options) as object)) {
    const known = Object.hasOwn(kinds, name) ? kinds[name] : undefined
    if (known === undefined)
      throw new LabError('LAB_ARGUMENT_INVALID', {
        argument: `the options of ${call}`,
        found: `one with the name ${JSON.stringify(name)}`,
        expected: `no others than ${Object.keys(kinds).join(', ')}`,
      })
    if (value !== undefined) checkArgument(name, value, known)
  }
}

/** Check the options of a call that takes a signal alone. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function checkSignal(call: string, options: unknown): void {
  checkOptions(call, options, { signal: abortSignal })
}

/** An object with members. Lists, bytes, maps and promises do not count. */
export const anObject = kind('an object', isObject)

function isObject(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(Symbol.iterator in value) &&
    !(value instanceof Promise)
  )
}

/** Whether JSON keeps a value as it is; NaN would be null, a function be left out. */
function isJson(value: unknown, around: ReadonlySet<object>): boolean {
  if (value === null || typeof value === 'boolean' || text.is(value)) return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || around.has(value)) return false
  if (value instanceof Date) return date.is(value)
  const within = new Set([...around, value])
  if (Array.isArray(value)) return value.every((item) => isJson(item, within))
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = prototype === Object.prototype || prototype === null
  return (
    isPlain && Object.entries(value).every((each) => each.every((part) => isJson(part, within)))
  )
}

/** The most characters of a value that an error shows. */
const maxShown = 80

/** Describe a value in a few words, for errors. */
export function describeFound(value: unknown): string {
  if (value instanceof Promise) return 'a promise, to be awaited first'
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'a Date that is no time' : 'a Date'
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'symbol') return 'a symbol'
  if (typeof value === 'number' || typeof value === 'bigint' || value === undefined)
    return String(value)
  if (value instanceof Uint8Array) return `a Uint8Array of ${value.length} bytes`
  const { shown, isWellFormed } = shownAsJson(value)
  const short = shown.length <= maxShown ? shown : `${shown.slice(0, maxShown - 1)}…`
  return isWellFormed ? short : `${short}, with half a character (a lone surrogate)`
}

/** Write the beginning of a value as JSON. The rest is not read, because a value may have many rows or bytes. */
function shownAsJson(value: unknown): { readonly shown: string; readonly isWellFormed: boolean } {
  let left = maxShown
  let isWellFormed = true
  const shorten = (name: string, part: unknown): unknown => {
    if (left-- <= 0) return undefined
    isWellFormed &&= name.isWellFormed() && (typeof part !== 'string' || part.isWellFormed())
    if (ArrayBuffer.isView(part)) return 'bytes'
    return Array.isArray(part) || typeof part === 'string' ? part.slice(0, maxShown) : part
  }
  try {
    const shown: unknown = JSON.stringify(value, shorten)
    return { shown: typeof shown === 'string' ? shown : 'an object', isWellFormed }
  } catch {
    // The value contains itself or a bigint, so it has no JSON.
    return { shown: 'an object', isWellFormed }
  }
}
