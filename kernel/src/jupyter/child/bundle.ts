import { inspect } from 'node:util'
import { jsonOf } from '../json.ts'
import type { Bundle } from './protocol.ts'

/** A value with this method says itself how a notebook shows it: it returns (a promise of) data by MIME type. */
const displaySymbol = Symbol.for('Jupyter.display')

/** Types whose data may be any JSON; a notebook keeps those of all others as text. */
const jsonType = /^application\/(.*\+)?json$/u

/** Make data that can travel, and that a notebook can keep: bytes become base64, JSON stays JSON, everything else becomes text. */
export function normalizeBundle(data: Bundle): Bundle {
  return mapValues(data, (value, type) => (jsonType.test(type) ? dataOf(value) : textOf(value)))
}

/** Make metadata that can travel: any JSON, bytes as base64. */
export function normalizeMetadata(metadata: Bundle): Bundle {
  return mapValues(metadata, dataOf)
}

function mapValues(bundle: Bundle, map: (value: unknown, key: string) => unknown): Bundle {
  return Object.fromEntries(Object.entries(bundle).map(([key, value]) => [key, map(value, key)]))
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  // Text in lines, as notebook files have it.
  if (Array.isArray(value) && value.every((line) => typeof line === 'string')) return value.join('')
  return inspect(value)
}

function dataOf(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : jsonOf(value)
}

/** How a notebook shows a value: what it says of itself, and always as text. */
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
