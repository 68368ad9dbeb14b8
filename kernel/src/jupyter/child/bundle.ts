import { inspect } from 'node:util'
import { jsonOf } from '../json.ts'
import type { Bundle } from './protocol.ts'

/** A notebook shows a value that has this method by calling it. It returns data by MIME type, or a promise of that. */
const displaySymbol = Symbol.for('Jupyter.display')

/** MIME types whose data may be any JSON. Notebooks store the data of all other types as text. */
const jsonType = /^application\/(.*\+)?json$/u

/** Convert data for a message and a notebook file: bytes become base64, JSON stays JSON, everything else becomes text. */
export function normalizeBundle(data: Bundle): Bundle {
  return mapValues(data, (value, type) => (jsonType.test(type) ? dataOf(value) : textOf(value)))
}

/** Convert metadata for a message: any JSON, with bytes as base64. */
export function normalizeMetadata(metadata: Bundle): Bundle {
  return mapValues(metadata, dataOf)
}

function mapValues(bundle: Bundle, map: (value: unknown, key: string) => unknown): Bundle {
  return Object.fromEntries(Object.entries(bundle).map(([key, value]) => [key, map(value, key)]))
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  // Notebook files store text as a list of lines.
  if (Array.isArray(value) && value.every((line) => typeof line === 'string')) return value.join('')
  return inspect(value)
}

function dataOf(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : jsonOf(value)
}

/** Make the bundle by which a notebook shows a value: what the value's own method returns, and always text. */
export async function bundleOf(value: unknown): Promise<Bundle> {
  const own = await ownBundle(value)
  if (own !== null && 'text/plain' in own) return own
  return { ...own, 'text/plain': inspect(value) }
}

async function ownBundle(value: unknown): Promise<Bundle | null> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return null
  const method: unknown = Reflect.get(value, displaySymbol)
  if (typeof method !== 'function') return null
  const data: unknown = await Reflect.apply(method, value, [])
  return typeof data === 'object' && data !== null ? normalizeBundle({ ...data }) : null
}
