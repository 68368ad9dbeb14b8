/** The most output kept of a command, in bytes, for each of stdout and stderr. */
const maxBytes = 64 * 1024 * 1024

/** A command's output, up to 64 MiB; beyond that the command goes on, and its output is read and dropped. */
export class OutputBuffer {
  #chunks: Buffer[] = []
  #bytes = 0
  truncated = false

  add(chunk: Buffer): void {
    const room = maxBytes - this.#bytes
    if (chunk.length > room) this.truncated = true
    if (room <= 0) return
    this.#chunks.push(chunk.subarray(0, room))
    this.#bytes += Math.min(room, chunk.length)
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}
