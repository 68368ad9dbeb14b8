/**
 * A box holds the value of one variable of the notebook as its property `v`. Each cell runs as a function of its own, and cells share a variable by sharing its
 * box.
 */
export interface Box {
  v?: unknown
}

/** The boxes of a notebook's variables: one for each name, whichever cell declares it. */
export class Boxes {
  readonly #boxes = new Map<string, Box>()

  /** Return the box of a name. Until it has a value, reading `v` throws a ReferenceError. */
  of(name: string): Box {
    const known = this.#boxes.get(name)
    if (known !== undefined) return known
    const box = createBox(name)
    this.#boxes.set(name, box)
    return box
  }

  /** Make a box read the current value of an import each time. When a cell assigns to it, it becomes an ordinary box again. */
  show(name: string, read: () => unknown): void {
    const box = this.of(name)
    Object.defineProperty(box, 'v', {
      get: read,
      set: (value: unknown) => hold(box, value),
      enumerable: true,
      configurable: true,
    })
  }
}

/**
 * Make a box. Each box has a class of its own, because V8 learns the type of `v` for a whole class: with one class for all boxes, a loop over a number is four
 * times as slow. The property is redefined and never deleted, because an object with a deleted property stays slow.
 */
function createBox(name: string): Box {
  // eslint-disable-next-line @typescript-eslint/no-extraneous-class -- each box needs a class of its own, by which V8 optimizes it
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
