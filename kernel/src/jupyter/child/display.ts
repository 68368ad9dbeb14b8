import { randomUUID } from 'node:crypto'
import { normalizeBundle, normalizeMetadata } from './bundle.ts'
import { typescriptVersion } from '../identity.ts'
import { currentCell } from './cell.ts'
import type { Bundle, ChildEvent } from './protocol.ts'

/** What `globalThis[Symbol.for('community-lab.display')]` is in a cell. */
export interface Display {
  /** Show something in the cell that runs now: data by MIME type, bytes allowed. */
  display(bundle: Bundle, metadata?: Bundle): void
  /** A place in the cell's output whose content can be replaced, also after the cell has ended. */
  newDisplay(): { update(bundle: Bundle, metadata?: Bundle): void }
}

/** Create the display; `emit` must keep the order of all output. */
export function createDisplay(emit: (event: ChildEvent) => void): Display {
  /** Show something in the place of an output of this size. Returns the size of what is shown. */
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

/** Where in a cell's output something is shown. */
interface Place {
  /** Null: nothing will take its place. */
  readonly displayId: string | null
  /** Something is shown there already. */
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

/** What `import … from 'tslab'` gives in a cell, so that notebooks made for tslab run unchanged. */
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
    // The interface is that of this version.
    versions: { tslab: '1.0.22', typescript: typescriptVersion, node: process.version },
  }
}
