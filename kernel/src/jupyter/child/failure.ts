import { inspect } from 'node:util'
import type { Failure } from './protocol.ts'

/** Describe what a cell has thrown. */
export function failureOf(thrown: unknown): Failure {
  if (!isError(thrown))
    return { name: 'Error', message: `thrown: ${inspect(thrown)}`, text: inspect(thrown) }
  return { name: nameOf(thrown), message: thrown.message, text: inspect(thrown) }
}

/** How an interrupted cell ends; `thrown` is what its code made of the interrupt, undefined when nothing yet. */
export function interruptionOf(thrown: unknown): Failure {
  const stack = isError(thrown) ? (thrown.stack ?? '').split('\n').slice(1).join('\n') : ''
  return { name: 'KeyboardInterrupt', message: 'the cell was interrupted', text: stack }
}

function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]'
}

function nameOf(error: Error): string {
  const own = typeof error.name === 'string' && error.name !== '' ? error.name : 'Error'
  return own === 'Error' ? error.constructor.name || own : own
}
