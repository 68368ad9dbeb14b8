import { randomUUID } from 'node:crypto'
import { normalizeBundle, normalizeMetadata } from './bundle.ts'
import { typescriptVersion } from '../identity.ts'
import { currentCell } from './cell.ts'
import type { Bundle, ChildEvent } from './protocol.ts'

/** The object that cells find at `globalThis[Symbol.for('community-lab.display')]`. */
export interface Display {
  /** Show data by MIME type in the cell that runs now. Data may be bytes. */
  display(bundle: Bundle, metadata?: Bundle): void
  /** Make an output whose content can be replaced, also after the cell has ended. */
  newDisplay(): { update(bundle: Bundle, metadata?: Bundle): void }
}

/** Create the display. `emit` must keep all output in order. */
export function createDisplay(emit: (event: ChildEvent) => void): Display {
  /** Show a bundle, maybe in place of an earlier one. Returns its size in characters. */
  const show = (bundle: Bundle, metadata: Bundle, place: Place): number => {
    const cell = currentCell()
    const normalized = normalizeBundle(bundle)
    const admitted = cell?.cap.admitBundle(normalized, place.size) ?? { data: normalized, size: 0 }
    if (admitted.data !== null)
      emit({
        is: 'display',
        cell: cell?.number ?? 0,
        data: admitted.data,
        metadata: normalizeMetadata(metadata),
        displayId: place.displayId,
        update: place.isShown,
      })
    return admitted.size
  }
  return {
    display: (bundle, metadata = {}) =>
      void show(bundle, metadata, { displayId: null, isShown: false, size: 0 }),
    newDisplay() {
      const place = { displayId: randomUUID(), isShown: false, size: 0 }
      return {
        update(bundle, metadata = {}) {
          place.size = show(bundle, metadata, place)
          place.isShown = true
        },
      }
    },
  }
}

/** The output in which a bundle is shown. */
interface Place {
  /** Null: it cannot be replaced later. */
  readonly displayId: string | null
  /** Whether this output exists already, so that the bundle replaces its content. */
  readonly isShown: boolean
  readonly size: number
}

const types = {
  javascript: 'text/javascript',
  html: 'text/html',
  markdown: 'text/markdown',
  latex: 'text/latex',
  svg: 'image/svg+xml',
  png: 'image/png',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  pdf: 'application/pdf',
  text: 'text/plain',
} as const

/** Make the module that `import … from 'tslab'` gives, so that notebooks written for tslab run unchanged. */
export function createTslab(display: Display): object {
  type Show = (type: string, data: unknown) => void
  const shorthands = (show: Show): object => ({
    ...Object.fromEntries(
      Object.entries(types).map(([name, type]) => [name, (data: unknown) => show(type, data)]),
    ),
    raw: show,
  })
  return {
    display: shorthands((type, data) => display.display({ [type]: data })),
    newDisplay() {
      const { update } = display.newDisplay()
      return shorthands((type, data) => update({ [type]: data }))
    },
    // This module has the interface of tslab 1.0.22.
    versions: { tslab: '1.0.22', typescript: typescriptVersion, node: process.version },
  }
}
