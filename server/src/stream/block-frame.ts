import {
  blockFrameHeadBytes,
  maxShapes,
  maxShapesBytes,
  readBlockHead,
  type ShapeFrame,
} from '@community-lab/contract'

/** A binary frame of an agent: a block of samples, whose values are not read yet. */
export interface BlockFrame {
  readonly firstSeq: number
  readonly rows: number
  /** The numbers of its shapes. */
  readonly shapes: readonly number[]
  readonly block: Uint8Array
}

/** Read a binary frame. Returns the reason when it is none. Never throws. */
export function readBlockFrame(bytes: Uint8Array): BlockFrame | { readonly reason: string } {
  if (bytes.length <= blockFrameHeadBytes || bytes[0] !== 1)
    return { reason: 'a binary frame must be a block' }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const firstSeq = view.getFloat64(8, true)
  const block = bytes.subarray(blockFrameHeadBytes)
  const head = readBlockHead(block)
  if (head === null) return { reason: 'a block has a wrong size' }
  const { rows, shapes } = head
  if (!Number.isSafeInteger(firstSeq) || firstSeq < 1 || !Number.isSafeInteger(firstSeq + rows))
    return { reason: 'a block has no number' }
  return { firstSeq, rows, shapes, block }
}

/** The shapes that are defined on a connection: what the server has to know of them before it reads their values. */
export interface ShapeBook {
  /** Note a definition of so many bytes. Returns the reason when it has a field twice, or when there are too many. */
  define(frame: ShapeFrame, bytes: number): string | null
  /** Return the number of the first that is not defined; null when all are. */
  missing(numbers: readonly number[]): number | null
  /** Tell whether all are of the node itself. */
  areOfNode(numbers: readonly number[]): boolean
}

/** Make an empty book. */
export function createShapeBook(nodeSource: string): ShapeBook {
  const known = new Map<number, { readonly bytes: number; readonly isOfNode: boolean }>()
  let held = 0
  return {
    define({ number, source, fields }, bytes) {
      // Two columns of a field would be written into one.
      if (new Set(fields.map(([field]) => field)).size < fields.length)
        return `shape ${number} has a field twice`
      held += bytes - (known.get(number)?.bytes ?? 0)
      known.set(number, { bytes, isOfNode: source === nodeSource })
      return held > maxShapesBytes || known.size > maxShapes
        ? `more than ${maxShapes} shapes, or ${maxShapesBytes} bytes of them`
        : null
    },
    missing: (numbers) => numbers.find((number) => !known.has(number)) ?? null,
    areOfNode: (numbers) => numbers.every((number) => known.get(number)?.isOfNode === true),
  }
}
