import { randomUUID } from 'node:crypto'
import { normalizeBundle, normalizeMetadata } from './bundle.ts'
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
  const show = (data: Bundle, metadata: Bundle, displayId: string | null, update: boolean): void =>
    emit({
      is: 'display',
      cell: currentCell()?.number ?? 0,
      data: normalizeBundle(data),
      metadata: normalizeMetadata(metadata),
      displayId,
      update,
    })
  return {
    display: (bundle, metadata = {}) => show(bundle, metadata, null, false),
    newDisplay() {
      const displayId = randomUUID()
      let shown = false
      return {
        update(bundle, metadata = {}) {
          show(bundle, metadata, displayId, shown)
          shown = true
        },
      }
    },
  }
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
    versions: { node: process.version },
  }
}
