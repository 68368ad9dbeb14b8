/** JSON of more characters than this is large. */
const largeLength = 20_000

/**
 * Shorten a large JSON file to a sample of the same type: of list items with the same shape, only the first is kept. TypeScript computes the type of a JSON
 * file again for each cell that uses it, which takes 1 s for 30,000 rows. A small file, or text that is not JSON, is returned unchanged.
 */
export function sampleJson(text: string): string {
  if (text.length < largeLength) return text
  try {
    return JSON.stringify(sampleOf(JSON.parse(text)).value)
  } catch {
    // Not JSON, or nested too deeply. TypeScript reports that.
    return text
  }
}

interface Sample {
  readonly value: unknown
  /** Values of the same shape have the same type. */
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
