/** The deepest nesting of arrays and objects in a message. Python's JSON parser, which Jupyter uses, fails at a depth of about a thousand. */
export const maxJsonDepth = 500

/** Return the depth of nested arrays and objects in a JSON text. */
export function depthOf(json: string): number {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < json.length; at += 1) {
    const letter = json[at]
    if (letter === '"') at = endOfString(json, at)
    else if (letter === '[' || letter === '{') deepest = Math.max(deepest, ++depth)
    else if (letter === ']' || letter === '}') depth -= 1
  }
  return deepest
}

/** Return the index of the quotation mark that ends a string. */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end !== -1; end = json.indexOf('"', end + 1)) {
    let escapes = 0
    while (json[end - 1 - escapes] === '\\') escapes += 1
    if (escapes % 2 === 0) return end
  }
  return json.length
}

/**
 * Return the part of a value that JSON can express. Values that JSON does not have, such as functions, become null.
 *
 * @throws TypeError when the value contains itself or a BigInt.
 * @throws RangeError when it is deeper than {@link maxJsonDepth}.
 */
export function jsonOf(value: unknown): unknown {
  const text = stringify(value)
  if (text === null || depthOf(text) > maxJsonDepth)
    throw new RangeError(
      `a value to show or to send has more than ${maxJsonDepth} arrays and objects in each other; make it flatter, or send it as text`,
    )
  return JSON.parse(text)
}

/** Null when the value is too deep. */
function stringify(value: unknown): string | null {
  try {
    // The result is undefined for `undefined` and functions, although the type says string.
    const text = JSON.stringify(value) as string | undefined
    return text ?? 'null'
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}
