/**
 * Return a value that disposes of another one and reports when that fails. The stack of such an error may not name the cell, because V8 calls the method at the
 * end of the cell. A value without a method is returned as it is, and V8 refuses it.
 */
export function holdDisposable(
  value: unknown,
  isAsync: boolean,
  onError: (error: unknown) => void,
): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return value
  const later: unknown = isAsync ? Reflect.get(value, Symbol.asyncDispose) : null
  const method: unknown = later ?? Reflect.get(value, Symbol.dispose)
  if (typeof method !== 'function') return value
  const dispose = (): unknown => {
    try {
      return Reflect.apply(method, value, []) as unknown
    } catch (error) {
      onError(error)
      throw error
    }
  }
  if (!isAsync) return { [Symbol.dispose]: dispose }
  return {
    async [Symbol.asyncDispose]() {
      const done = dispose()
      // What the method `Symbol.dispose` returns is not awaited.
      if (later == null) return
      try {
        await done
      } catch (error) {
        onError(error)
        throw error
      }
    },
  }
}
