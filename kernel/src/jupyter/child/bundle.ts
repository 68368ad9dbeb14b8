import { inspect } from 'node:util'
import type { Bundle } from './protocol.ts'

/** A value with this method says itself how a notebook shows it: it returns (a promise of) data by MIME type. */
const displaySymbol = Symbol.for('Jupyter.display')

/** Make data that can travel: bytes become base64, everything else goes through JSON. */
export function normalizeBundle(data: Bundle): Bundle {
  return Object.fromEntries(
    Object.entries(data).map(([type, value]) => [type, normalizeValue(value)]),
  )
}

function normalizeValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (typeof value === 'string') return value
  // Of what JSON does not know (a function) `stringify` makes undefined, whatever its type says.
  const text = JSON.stringify(value) as string | undefined
  return JSON.parse(text ?? 'null') as unknown
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
