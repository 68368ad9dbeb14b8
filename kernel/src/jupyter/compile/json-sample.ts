/** JSON of more characters than this is large. */
const largeLength = 20_000
/** An object of at least so many members is a dictionary if it has at most a tenth as many shapes of members. */
const dictionarySize = 100
/** A dictionary of at most so many members has its own names besides. More would take longer than 3 ms for each cell that uses it. */
const namedSize = 1_000

/** Takes an item of each shape. Its type is that of a dictionary of such items. `JsonDictionary` is a global of cells. */
const dictionaryOf = '(null as any as <T>(items: T[]) => JsonDictionary<T>)'
/** Takes a dictionary, an item and names. Its type is that of the dictionary, in which all these names have such an item. */
const withNames =
  '(null as any as <D, T, N extends string>(dictionary: D, item: T, names: N[]) => D & Record<N, T>)'

/**
 * Shorten a large JSON file to a sample of the same type. Of list items with the same shape, only the first is kept. An object with many members of few shapes is
 * a dictionary: the sample has one member of each shape and, if they are not too many, all names. TypeScript computes the type of a JSON file again for each cell
 * that uses it, which takes 1 s for 30,000 rows or members. A small file, or text that is not JSON, is returned unchanged.
 *
 * Where there are dictionaries, the sample is not JSON but an expression. TypeScript computes its type all the same.
 */
export function sampleJson(text: string): string {
  if (text.length < largeLength) return text
  try {
    const sample = sampleOf(JSON.parse(text), true).text
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

/** `isAlone` tells that the value stands for no others of the same shape, which may have other names. */
function sampleOf(value: unknown, isAlone: boolean): Sample {
  if (typeof value !== 'object' || value === null)
    return { text: JSON.stringify(value), shape: value === null ? 'null' : typeof value }
  if (Array.isArray(value)) {
    const items = byShape(value.map((item) => sampleOf(item, false)))
    return { text: `[${[...items.values()].join()}]`, shape: `[${[...items.keys()].join()}]` }
  }
  const names = Object.keys(value)
  if (names.length >= dictionarySize) {
    const members = Object.values(value).map((member) => sampleOf(member, false))
    const items = byShape(members)
    if (items.size <= names.length / 10) {
      const text = `${dictionaryOf}([${[...items.values()].join()}])`
      return {
        text: isAlone && names.length <= namedSize ? nameMembers(text, names, members) : text,
        shape: `<${[...items.keys()].toSorted().join()}>`,
      }
    }
  }
  const members = Object.entries(value).map(
    ([name, each]) => [JSON.stringify(name), sampleOf(each, isAlone)] as const,
  )
  return {
    text: `{${members.map(([name, member]) => `${name}:${member.text}`).join()}}`,
    shape: `{${members.map(([name, member]) => `${name}:${member.shape}`).join()}}`,
  }
}

/** Return the sample of a dictionary with the names of its members, each with the type of its own member. */
function nameMembers(
  dictionary: string,
  names: readonly string[],
  members: readonly Sample[],
): string {
  const groups = Map.groupBy(names.keys(), (at) => members[at]?.shape ?? '')
  return [...groups.values()].reduce((text, group) => {
    const item = members[group[0] ?? 0]?.text ?? 'null'
    return `${withNames}(${text},${item},${JSON.stringify(group.map((at) => names[at]))})`
  }, dictionary)
}

/** Return the text of the first value of each shape. */
function byShape(values: readonly Sample[]): ReadonlyMap<string, string> {
  const items = new Map<string, string>()
  for (const { text, shape } of values) if (!items.has(shape)) items.set(shape, text)
  return items
}
