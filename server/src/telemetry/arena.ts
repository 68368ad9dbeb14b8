/** Memory that several messages share, so that the store's thread gets all of them at once. */
export interface Arena {
  /** Copy bytes into it. Returns where they begin, which is a multiple of eight. */
  put(bytes: Uint8Array): number
  /** Take the memory away. The next bytes are copied into another one. */
  take(): ArrayBuffer
}

const leastBytes = 64 * 1024

/** Make an empty arena. */
export function createArena(): Arena {
  let buffer = new ArrayBuffer(0)
  let content = new Uint8Array(buffer)
  let used = 0
  return {
    put(bytes) {
      const at = used
      used += (bytes.length + 7) & ~7
      if (used > buffer.byteLength) {
        const larger = new Uint8Array(Math.max(leastBytes, 2 * used))
        larger.set(content.subarray(0, at))
        content = larger
        buffer = larger.buffer
      }
      content.set(bytes, at)
      return at
    },
    take() {
      const taken = buffer
      buffer = new ArrayBuffer(0)
      content = new Uint8Array(buffer)
      used = 0
      return taken
    },
  }
}
