/** The most output of a command that is kept, in bytes, for each of stdout and stderr. */
const maxBytes = 64 * 1024 * 1024

/** The output of a command, up to 64 MiB. The rest is read and dropped, so that the command goes on. */
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
