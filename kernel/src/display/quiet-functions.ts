/** The options that Plot may take as functions of a row. Source: Plot 0.6.17, the channels of its marks. */
const ofRows: ReadonlySet<string> = new Set([
  ...['x', 'x1', 'x2', 'y', 'y1', 'y2', 'z', 'fx', 'fy', 'r', 'rx', 'ry', 'rotate', 'length'],
  ...['fill', 'fillOpacity', 'stroke', 'strokeOpacity', 'strokeWidth', 'opacity', 'symbol'],
  ...['text', 'title', 'href', 'ariaLabel', 'src', 'width', 'height', 'path', 'fontSize', 'value'],
  ...['geometry', 'weight', 'order', 'sort', 'filter', 'open', 'close', 'channels', 'tip'],
])

let isQuiet = false

/** Run a function. Meanwhile, functions of the notebook are not called by Plot: one that adds up values would count a row twice. */
export function withoutCalls<T>(run: () => T): T {
  isQuiet = true
  try {
    return run()
  } finally {
    isQuiet = false
  }
}

/** Return functions of Plot with which {@link withoutCalls} works. */
export function quietFunctions<T extends object>(functions: T): T {
  const quiet = Object.entries(functions).map(([name, value]: [string, unknown]) => [
    name,
    typeof value === 'function'
      ? new Proxy(value, {
          apply: (make, self, given: unknown[]): unknown =>
            Reflect.apply(
              make,
              self,
              given.map((each) => quietOptions(each)),
            ),
        })
      : value,
  ])
  return Object.fromEntries(quiet) as T
}

/**
 * Replace the functions in options. Each is called as before, but not within {@link withoutCalls}. In `channels`, names are the notebook's own.
 */
function quietOptions(options: unknown, isOfRows = (name: string) => ofRows.has(name)): unknown {
  if (typeof options !== 'object' || options === null) return options
  const prototype: unknown = Object.getPrototypeOf(options)
  if (prototype !== Object.prototype && prototype !== null) return options
  const quiet = Object.entries(options).map(([name, value]: [string, unknown]) => {
    const other = !isOfRows(name)
      ? value
      : typeof value === 'function'
        ? quietFunction(value, name === 'filter' ? true : undefined)
        : quietOptions(value, name === 'channels' ? () => true : undefined)
    return [name, other] as const
  })
  const isChanged = quiet.some(([name, other]) => other !== Reflect.get(options, name))
  return isChanged ? Object.fromEntries(quiet) : options
}

/** A proxy keeps the number of arguments and the label of a function, which Plot reads. */
function quietFunction(of: object, result: unknown): unknown {
  return new Proxy(of as () => unknown, {
    apply: (target, self, given): unknown =>
      isQuiet ? result : Reflect.apply(target, self, given),
  })
}
