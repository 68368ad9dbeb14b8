/** A variable of the notebook. Cells read and write its `v`. */
export interface Box {
  v?: unknown
}

/** The variables of a notebook: one for each name, whichever cell declares it. */
export class Boxes {
  readonly #boxes = new Map<string, Box>()

  /** The variable of that name. Until it has a value, reading it throws a ReferenceError. */
  of(name: string): Box {
    const known = this.#boxes.get(name)
    if (known !== undefined) return known
    const box = createBox(name)
    this.#boxes.set(name, box)
    return box
  }

  /** Have a variable show what an import gives, each time it is read. */
  show(name: string, read: () => unknown): void {
    Object.defineProperty(this.of(name), 'v', { get: read, enumerable: true, configurable: true })
  }

  /** A cell is about to declare the name: what an import shows there becomes the value of a variable that can be written. */
  prepare(name: string): void {
    const box = this.of(name)
    const { get, set } = Object.getOwnPropertyDescriptor(box, 'v') ?? {}
    if (get !== undefined && set === undefined) hold(box, box.v)
  }
}

/**
 * Boxes have a class each. Those of one class share what V8 knows of the type of `v`, which makes a loop over a number four times as slow.
 * The property is defined anew, not deleted: that would make it slow for good.
 */
function createBox(name: string): Box {
  // eslint-disable-next-line @typescript-eslint/no-extraneous-class -- the class is what matters: V8 learns by it
  const box: Box = new (class {})()
  waitForValue(box, name)
  return box
}

function hold(box: Box, value: unknown): void {
  Object.defineProperty(box, 'v', { value, writable: true, enumerable: true, configurable: true })
}

function waitForValue(box: Box, name: string): void {
  Object.defineProperty(box, 'v', {
    get() {
      throw new ReferenceError(`${name} has no value yet`)
    },
    set: (value: unknown) => hold(box, value),
    enumerable: true,
    configurable: true,
  })
}
