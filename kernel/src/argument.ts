import { LabError } from '@community-lab/contract'

/*
 * TypeScript checks what a cell gives to a call, but not what is `any` there: parsed JSON, rows, values that a helper made. Each public call looks at its
 * arguments before it asks anything of anybody.
 */

/** What an argument can be. */
export interface Kind {
  /** In words, such as `a text`. */
  readonly expected: string
  is(value: unknown): boolean
}

const kind = (expected: string, is: (value: unknown) => boolean): Kind => ({ expected, is })

export const text = kind('a text', (value) => typeof value === 'string')
export const words = kind(
  'a text that is not empty',
  (value) => typeof value === 'string' && value !== '',
)
export const textOrBytes = kind(
  'a text or a Uint8Array',
  (value) => typeof value === 'string' || value instanceof Uint8Array,
)
export const date = kind(
  'a Date that is a time',
  (value) => value instanceof Date && !Number.isNaN(value.getTime()),
)
export const durationMs = kind(
  'a number of milliseconds from 0 on, or Infinity for no limit',
  (value) => typeof value === 'number' && value >= 0,
)
/** For limits: a count that may be Infinity. */
export const count = kind(
  'a whole number from 0 on, or Infinity for no limit',
  (value) => value === Infinity || (Number.isSafeInteger(value) && Number(value) >= 0),
)
export const abortSignal = kind('an AbortSignal', (value) => value instanceof AbortSignal)
export const textMap = kind(
  'an object whose values are texts',
  (value) => isObject(value) && Object.values(value).every(text.is),
)
export const fileMap = kind(
  'an object with a text or a Uint8Array for each file',
  (value) => isObject(value) && Object.values(value).every(textOrBytes.is),
)

/** A whole number within bounds. */
export function wholeNumber(min: number, max: number, unit = ''): Kind {
  const expected = `a whole number${unit === '' ? '' : ` of ${unit}`} from ${min} to ${max}`
  return kind(
    expected,
    (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
  )
}

/** A list of at least one such item. */
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

/** A list of such items. */
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

/** An object with a member `name`, as nodes are, or a text. */
export const named = kind(
  'a node or the name of one',
  (value) => typeof value === 'string' || (isObject(value) && text.is(Reflect.get(value, 'name'))),
)

/** Check one argument of a call. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function checkArgument(argument: string, value: unknown, { expected, is }: Kind): void {
  if (is(value)) return
  throw new LabError('LAB_ARGUMENT_INVALID', { argument, found: describeFound(value), expected })
}

/**
 * Check the options of a call. An option that is not there, or undefined, is right; one that the call does not know is not.
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

/** An object with members, which lists, bytes, maps and promises have none of. */
export const anObject = kind('an object', isObject)

function isObject(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(Symbol.iterator in value) &&
    !(value instanceof Promise)
  )
}

/** The most characters of a value that are shown. */
const maxShown = 80

/** A value in a few words, for errors. */
export function describeFound(value: unknown): string {
  if (value instanceof Promise) return 'a promise, to be awaited first'
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'a Date that is no time' : 'a Date'
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'symbol') return 'a symbol'
  if (typeof value === 'number' || typeof value === 'bigint' || value === undefined)
    return String(value)
  if (value instanceof Uint8Array) return `a Uint8Array of ${value.length} bytes`
  const shown = shownAsJson(value)
  return shown.length <= maxShown ? shown : `${shown.slice(0, maxShown - 1)}…`
}

/** The beginning of a value as JSON. What is beyond it is not looked at: rows and bytes can be many. */
function shownAsJson(value: unknown): string {
  let left = maxShown
  const shorten = (_name: string, part: unknown): unknown => {
    if (left-- <= 0) return undefined
    if (ArrayBuffer.isView(part)) return 'bytes'
    return Array.isArray(part) || typeof part === 'string' ? part.slice(0, maxShown) : part
  }
  try {
    const shown: unknown = JSON.stringify(value, shorten)
    return typeof shown === 'string' ? shown : 'an object'
  } catch {
    // It holds itself, or a bigint.
    return 'an object'
  }
}
