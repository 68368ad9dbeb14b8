/** A write into a file, or a change of its length. */
export type Change = { readonly at: number; readonly data: Buffer } | { readonly length: number }
/** A change, and whether it is on the disk for sure. */
export interface Noted<T> {
  readonly change: T
  isSynced: boolean
}
/** A file, whatever its names are. */
export interface FileNode {
  readonly names: null
  readonly changes: Noted<Change>[]
}
/** Decide which changes that were not synced are there: none, all, those up to one, or any. */
export function chooser(random: () => number): () => boolean {
  const way = Math.floor(random() * 4)
  let isOver = false
  return () => {
    if (way === 0) return false
    if (way === 1) return true
    if (way === 3) return random() < 0.5
    isOver ||= random() < 0.2
    return !isOver
  }
}

/** Disks write sectors of 512 bytes, or of 4096, as a whole. */
const sectorBytes = 512

/** Return what a power cut may leave of a file. */
export function contentOf({ changes }: FileNode, random: () => number): Buffer {
  const keeps = chooser(random)
  let content = Buffer.alloc(0)
  for (const { change, isSynced } of changes) {
    const isKept = isSynced || keeps()
    if ('length' in change) {
      if (isKept) content = resize(content, change.length)
      continue
    }
    const { at, data } = change
    const fate = isKept ? (isSynced ? 1 : random()) : random() / 2
    // Lost.
    if (fate < 0.4) continue
    content = resize(content, Math.max(content.length, at + data.length))
    // Only the file's size is there.
    if (fate < 0.5) continue
    const sector = (at + random() * data.length) / sectorBytes
    const torn = fate < 0.7 ? Math.max(0, Math.floor(sector) * sectorBytes - at) : data.length
    data.copy(content, at, 0, torn)
  }
  return content
}

function resize(content: Uint8Array, bytes: number): Buffer<ArrayBuffer> {
  const resized = Buffer.alloc(bytes)
  resized.set(content.subarray(0, bytes))
  return resized
}

/** Numbers from 0 to below 1. Source: mulberry32, https://github.com/cprosche/mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
