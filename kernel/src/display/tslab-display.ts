import { createRequire } from 'node:module'
import type * as Tslab from 'tslab'
import type { Bundle, Display } from './bundle.ts'

/** Stock tslab shows one type of a bundle. These are in order of preference. */
const types = ['text/html', 'image/svg+xml', 'text/markdown', 'image/png', 'text/plain'] as const

/**
 * Return the display of the tslab cell that runs now; null when no tslab runs. If another copy of tslab runs the cell than the one found here, output goes to
 * `fallback`.
 *
 * Source: tslab 1.0.22, executor.ts (`globalThis.__tslab__`) and public.ts (`display`, `newDisplay`).
 */
export function maybeTslabDisplay(fallback: Display): Display | null {
  if (!Reflect.has(globalThis, '__tslab__')) return null
  const tslab = maybeTslab()
  if (tslab === null) return null
  return {
    display(bundle) {
      if (!showOn(tslab.display, bundle)) fallback.display(bundle)
    },
    newDisplay() {
      const place = tslab.newDisplay()
      const other = fallback.newDisplay()
      return {
        update(bundle) {
          if (!showOn(place, bundle)) other.update(bundle)
        },
      }
    },
  }
}

function maybeTslab(): typeof Tslab | null {
  try {
    return createRequire(import.meta.url)('tslab') as typeof Tslab
  } catch {
    // tslab is not installed beside this package. The cell shows text.
    return null
  }
}

function showOn(place: Tslab.Display, bundle: Bundle): boolean {
  const type = types.find((each) => bundle[each] !== undefined)
  const data = type === undefined ? undefined : bundle[type]
  if (type === undefined || (typeof data !== 'string' && !(data instanceof Uint8Array)))
    return false
  try {
    place.raw(type, data)
    return true
  } catch {
    // "Not ready": another copy of tslab runs the cells.
    return false
  }
}
