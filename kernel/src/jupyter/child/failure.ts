import { inspect } from 'node:util'
import type { Failure } from './protocol.ts'

/** Describe what a cell has thrown. Never throws, whatever the value does when it is looked at. */
export function failureOf(thrown: unknown): Failure {
  const text = textOf(thrown)
  if (!isError(thrown)) return { name: 'Error', message: `thrown: ${text}`, text }
  return {
    name: attempt(() => nameOf(thrown)) ?? 'Error',
    message: attempt(() => messageOf(thrown)) ?? 'its message cannot be read',
    text,
  }
}

/** How an interrupted cell ends; `thrown` is what its code made of the interrupt, undefined when nothing yet. */
export function interruptionOf(thrown: unknown): Failure {
  const stack = isError(thrown) ? stackOf(thrown).split('\n').slice(1).join('\n') : ''
  return { name: 'KeyboardInterrupt', message: 'the cell was interrupted', text: stack }
}

/** A value as Node prints it; when its own code fails at that, the stack it has. Never throws. */
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

/** Ask a value of a cell, whose own code (a getter, a proxy) may fail: null then. */
function attempt<T>(ask: () => T): T | null {
  try {
    return ask()
  } catch {
    // What is reported is the value that was thrown, not what happens when it is looked at.
    return null
  }
}
