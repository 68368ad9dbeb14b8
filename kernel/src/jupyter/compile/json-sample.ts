/** JSON of more characters than this is large. */
const largeLength = 20_000
/** An object of at least so many members is a dictionary if it has at most a tenth as many shapes of members. */
const dictionarySize = 100

/** Takes an item of each shape. Its type is that of a dictionary of such items. `JsonDictionary` is a global of cells. */
const dictionaryOf = '(null as any as <T>(items: T[]) => JsonDictionary<T>)'

/**
 * Shorten a large JSON file to a sample of the same type: of list items with the same shape, only the first is kept. An object with many members of few shapes is
 * a dictionary: the sample has one member of each shape. TypeScript computes the type of a JSON file again for each cell that uses it, which takes 1 s for 30,000
 * rows or members. A small file, or text that is not JSON, is returned unchanged.
 *
 * Where there are dictionaries, the sample is not JSON but an expression. TypeScript computes its type all the same.
 */
export function sampleJson(text: string): string {
  if (text.length < largeLength) return text
  try {
    const sample = sampleOf(JSON.parse(text)).text
    // A JSON file that does not begin with a bracket is not parsed as an expression.
    return sample.startsWith('(') ? `{...${sample}}` : sample
  } catch {
    // Not JSON, or nested too deeply. TypeScript reports that.
    return text
  }
}

interface Sample {
  readonly text: string
  /** Values of the same shape have the same type. */
  readonly shape: string
}

function sampleOf(value: unknown): Sample {
  if (typeof value !== 'object' || value === null)
    return { text: JSON.stringify(value), shape: value === null ? 'null' : typeof value }
  if (Array.isArray(value)) {
    const items = byShape(value)
    return { text: `[${[...items.values()].join()}]`, shape: `[${[...items.keys()].join()}]` }
  }
  const names = Object.keys(value)
  if (names.length >= dictionarySize) {
    const items = byShape(Object.values(value))
    if (items.size <= names.length / 10)
      return {
        text: `${dictionaryOf}([${[...items.values()].join()}])`,
        shape: `<${[...items.keys()].toSorted().join()}>`,
      }
  }
  const members = Object.entries(value).map(
    ([name, each]) => [JSON.stringify(name), sampleOf(each)] as const,
  )
  return {
    text: `{${members.map(([name, member]) => `${name}:${member.text}`).join()}}`,
    shape: `{${members.map(([name, member]) => `${name}:${member.shape}`).join()}}`,
  }
}

/** Return the text of the first value of each shape. */
function byShape(values: readonly unknown[]): ReadonlyMap<string, string> {
  const items = new Map<string, string>()
  for (const each of values) {
    const { text, shape } = sampleOf(each)
    if (!items.has(shape)) items.set(shape, text)
  }
  return items
}
