/** JSON of more characters than this is large. */
const largeLength = 20_000

/**
 * Shorten a large JSON file to a sample that has the same type: of the items of a list that look alike, the first is left. TypeScript makes the type of a file
 * again for each cell that uses it, and that of 30,000 rows takes a second. What is small, or no JSON, stays as it is.
 */
export function sampleJson(text: string): string {
  if (text.length < largeLength) return text
  try {
    return JSON.stringify(sampleOf(JSON.parse(text)).value)
  } catch {
    // No JSON, or too deep: TypeScript says what it has against it.
    return text
  }
}

interface Sample {
  readonly value: unknown
  /** Two values of one shape have one type. */
  readonly shape: string
}

function sampleOf(value: unknown): Sample {
  if (typeof value !== 'object' || value === null)
    return { value, shape: value === null ? 'null' : typeof value }
  if (Array.isArray(value)) {
    const items = new Map<string, unknown>()
    for (const each of value) {
      const item = sampleOf(each)
      if (!items.has(item.shape)) items.set(item.shape, item.value)
    }
    return { value: [...items.values()], shape: `[${[...items.keys()].join()}]` }
  }
  const members = Object.entries(value).map(([name, each]) => [name, sampleOf(each)] as const)
  const shapes = members.map(([name, { shape }]) => `${JSON.stringify(name)}:${shape}`)
  return {
    value: Object.fromEntries(members.map(([name, member]) => [name, member.value])),
    shape: `{${shapes.join()}}`,
  }
}
