import { inspect } from 'node:util'
import { displaySymbol, type Bundle } from './bundle.ts'
import { currentDisplay } from './current.ts'
import { figureBundle, isElement } from './figure.ts'
import { rowColumns, tableBundle } from './table.ts'

/** Text in a markup language that {@link show} renders. */
export interface Markup {
  readonly html?: string
  readonly markdown?: string
  readonly svg?: string
}

/**
 * Show a value in the output of the cell, or as text outside of notebooks: a figure of `Plot`, a table (any array of objects), a handle or a result of the lab,
 * `{ html }`, `{ markdown }`, `{ svg }`, or any other value as text.
 */
export function show(value: unknown): void {
  currentDisplay().display(bundleOf(value))
}

/** Make the bundle by which a notebook shows a value. */
export function bundleOf(value: unknown): Bundle {
  if (isElement(value)) return figureBundle(value)
  if (typeof value === 'string') return { 'text/plain': value }
  if (typeof value !== 'object' || value === null) return { 'text/plain': inspect(value) }
  if (value instanceof Promise) return { 'text/plain': `${inspect(value)}\n${promiseNotice}` }
  const own: unknown = Reflect.get(value, displaySymbol)
  if (typeof own === 'function') {
    const bundle: unknown = Reflect.apply(own, value, [])
    if (typeof bundle === 'object' && bundle !== null && !(bundle instanceof Promise))
      return { 'text/plain': inspect(value), ...bundle }
  }
  if (isTable(value)) return tableBundle(value, rowColumns(value))
  return markupBundle(value) ?? { 'text/plain': inspect(value) }
}

const promiseNotice = 'It is a promise. Write `await` before it to show its value.'

function isTable(value: object): value is object[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => typeof item === 'object' && item !== null && !Array.isArray(item))
  )
}

function markupBundle(value: Markup): Bundle | null {
  const types = { html: 'text/html', markdown: 'text/markdown', svg: 'image/svg+xml' } as const
  const keys = Object.keys(value)
  for (const [key, type] of Object.entries(types)) {
    const text: unknown = Reflect.get(value, key)
    if (keys.length === 1 && typeof text === 'string') return { 'text/plain': text, [type]: text }
  }
  return null
}
