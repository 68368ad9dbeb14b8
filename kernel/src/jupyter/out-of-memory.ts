/** V8 writes this first when it gives up, then some forty lines of addresses. Source: Node.js 24, `OOMErrorHandler`, and V8's `Heap::FatalProcessOutOfMemory`. */
const beginning = '<--- Last few GCs --->'

/** The size of all objects after a collection, as in `Mark-Compact 61.5 (66.1) -> 61.2 (66.4) MB`. */
const afterCollection = /-> (\d+)(?:\.\d+)? \(/gu

/** Recognizes in what a process prints that it ends because its memory is used up. */
export class OutOfMemory {
  #dump: string | null = null

  /** Return what of a text is to be shown: all before V8's report, which says nothing to users. */
  show(text: string): string {
    if (this.#dump !== null) {
      this.#dump += text
      return ''
    }
    const at = text.indexOf(beginning)
    if (at === -1) return text
    this.#dump = text.slice(at)
    return text.slice(0, at).trimEnd()
  }

  /** Describe the end of the process and begin anew with the next process; null: its memory was not used up. */
  takeReason(): string | null {
    const dump = this.#dump
    this.#dump = null
    if (dump === null) return null
    const used = [...dump.matchAll(afterCollection)].at(-1)?.[1]
    const size = used === undefined ? '' : `: its objects took ${used} MiB`
    return `out of memory${size}; NODE_OPTIONS=--max-old-space-size=MIB, set before Jupyter starts, allows more`
  }
}
