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

  /** Make a variable give the current value of an import, each time it is read. Once a cell sets it, it is an ordinary variable again. */
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
 * Make a box. Each box has a class of its own, because V8 learns the type of `v` for a whole class: with one class for all, a loop over a number is four times
 * as slow. The property is never deleted but defined again, because an object with a deleted property stays slow.
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
