/** Bytes by the source of the samples that take them. */
export type BytesBySource = Readonly<Record<string, number>>

/** How much of each segment of a spool is whose. */
export class Tally {
  readonly #bySegment = new Map<string, Map<string, number>>()

  /** Count bytes of a segment. */
  add(path: string, source: string, bytes: number): void {
    const own = this.#bySegment.get(path) ?? new Map<string, number>()
    this.#bySegment.set(path, own.set(source, (own.get(source) ?? 0) + bytes))
  }

  /** Forget a segment that is there no more. */
  remove(path: string): void {
    this.#bySegment.delete(path)
  }

  /** Bytes that are of one source, in all segments. */
  held(source: string): number {
    let held = 0
    for (const own of this.#bySegment.values()) held += own.get(source) ?? 0
    return held
  }

  /** What one segment holds. */
  of(path: string): BytesBySource {
    return Object.fromEntries(this.#bySegment.get(path) ?? [])
  }
}
