import { inspect } from 'node:util'
import type { Failure } from './protocol.ts'

/** Describe what a cell has thrown. Never throws, even if reading the value does. */
export function failureOf(thrown: unknown): Failure {
  const text = textOf(thrown)
  if (!isError(thrown)) return { name: 'Error', message: `thrown: ${text}`, text }
  return {
    name: attempt(() => nameOf(thrown)) ?? 'Error',
    message: attempt(() => messageOf(thrown)) ?? 'its message cannot be read',
    text,
  }
}

/** Add a position in a cell to a failure whose stack has none. */
export function placeFailure(failure: Failure, place: string): Failure {
  const lines = failure.text.split('\n')
  const last = lines.findLastIndex((line) => line.startsWith('    at '))
  const frame = lines[last]
  if (frame === undefined) return { ...failure, text: `${failure.text}\n    at ${place}` }
  // Node writes the properties of an error after its last frame.
  const [, own = '', rest = ''] = /^(.*?)( \{)?$/u.exec(frame) ?? []
  lines.splice(last, 1, own, `    at ${place}${rest}`)
  return { ...failure, text: lines.join('\n') }
}

/** Make the failure of an interrupted cell. `thrown` is what its code threw after the interrupt; undefined when nothing yet. */
export function interruptionOf(thrown: unknown): Failure {
  const stack = isError(thrown) ? stackOf(thrown).split('\n').slice(1).join('\n') : ''
  return { name: 'KeyboardInterrupt', message: 'the cell was interrupted', text: stack }
}

/** Write a value as Node prints it; if that fails in code of the value, write its stack. Never throws. */
export function textOf(value: unknown): string {
  const text = attempt(() => inspect(value))
  if (text !== null) return text
  const stack = isError(value) ? stackOf(value) : ''
  return stack === '' ? 'a value that cannot be shown' : stack
}

function isError(value: unknown): value is Error {
  const found = attempt(
    () => value instanceof Error || Object.prototype.toString.call(value) === '[object Error]',
  )
  return found === true
}

function nameOf(error: Error): string {
  const names: unknown[] = [error.name, error.constructor.name]
  const isTelling = (name: unknown) => typeof name === 'string' && name !== '' && name !== 'Error'
  return names.find((name): name is string => isTelling(name)) ?? 'Error'
}

function messageOf(error: Error): string {
  const message: unknown = error.message
  return typeof message === 'string' ? message : textOf(message)
}

function stackOf(error: Error): string {
  const stack: unknown = attempt(() => error.stack)
  return typeof stack === 'string' ? stack : ''
}

/** Read a value of a cell. Its own code (a getter, a proxy) may fail; then return null. */
function attempt<T>(ask: () => T): T | null {
  try {
    return ask()
  } catch {
    // Report the value that was thrown, not an error of reading it.
    return null
  }
}
