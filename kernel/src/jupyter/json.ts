/** How deep arrays and objects may stand in each other in a message. Python's readers of JSON, which notebooks are kept by, end at about a thousand. */
export const maxJsonDepth = 500

/** How deep arrays and objects stand in each other in a JSON text. */
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

/** The place of the quotation mark that ends a string. */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end !== -1; end = json.indexOf('"', end + 1)) {
    let escapes = 0
    while (json[end - 1 - escapes] === '\\') escapes += 1
    if (escapes % 2 === 0) return end
  }
  return json.length
}

/**
 * Make JSON of a value and read it again: what a message can carry of it. Of what JSON does not know, such as a function, it makes null.
 *
 * @throws TypeError when the value is a circle or has a BigInt.
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

/** Null when the value is too deep for that. */
function stringify(value: unknown): string | null {
  try {
    // `undefined` and functions give undefined, whatever the type says.
    const text = JSON.stringify(value) as string | undefined
    return text ?? 'null'
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}
