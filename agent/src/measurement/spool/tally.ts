/** Bytes by the source of their samples. */
export type BytesBySource = Readonly<Record<string, number>>

/** Counts the bytes of each source in each segment of a spool. */
export class Tally {
  readonly #bySegment = new Map<string, Map<string, number>>()

  /** Add bytes to a segment. */
  add(path: string, source: string, bytes: number): void {
    const own = this.#bySegment.get(path) ?? new Map<string, number>()
    this.#bySegment.set(path, own.set(source, (own.get(source) ?? 0) + bytes))
  }

  /** Remove a segment. */
  remove(path: string): void {
    this.#bySegment.delete(path)
  }

  /** Return the bytes of one source in all segments. */
  held(source: string): number {
    let held = 0
    for (const own of this.#bySegment.values()) held += own.get(source) ?? 0
    return held
  }

  /** Return the bytes in one segment, by source. */
  of(path: string): BytesBySource {
    return Object.fromEntries(this.#bySegment.get(path) ?? [])
  }
}
