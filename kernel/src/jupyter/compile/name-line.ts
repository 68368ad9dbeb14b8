import { namespaceOf } from './cell-files.ts'
import type { CellText } from './cell-text.ts'
import type { KnownName } from './names.ts'
import { qualified, type PlainDeclaration } from './plain-types.ts'

/** Options of {@link writeNameLine}. */
export interface NameLineOptions {
  /** The names that the module imports from earlier cells. */
  readonly imported: ReadonlyMap<string, KnownName>
  /** Return the plain declaration of a name of the cell in a slot; null when the name must be imported from the cell's module. See {@link PlainDeclaration}. */
  maybePlain(slot: number, name: string): PlainDeclaration | null
  /** Return the name under which `$cells.ts` exports the module of a slot. */
  memberOf(slot: number): string
  /** Tell whether a cell has declared a name. */
  isKnown(name: string): boolean
}

/** Return those names of earlier cells that a cell's module imports. `words` are the names that the cell may use. */
export function namesFor(
  { declared }: CellText,
  all: ReadonlyMap<string, KnownName>,
  words: Iterable<string>,
): ReadonlyMap<string, KnownName> {
  const taken = [...words].flatMap((name): [string, KnownName][] => {
    const known = all.get(name)
    if (known === undefined) return []
    const own = declared.get(name)?.kind ?? null
    if (own === null) return [[name, known]]
    const { value, type } = known
    // The cell has `type Point = …`, and an earlier cell has a value of that name.
    if (own === 'type')
      return value === null ? [] : [[name, { value, type: null, slot: value.slot }]]
    // The cell has `const Point = …`, and an earlier cell has `interface Point`. The type stays known beside the value.
    return own !== 'both' && type?.kind === 'type' && value === null ? [[name, known]] : []
  })
  return new Map(taken)
}

/** Write the first line of a cell's module, which imports or declares the names of earlier cells. */
export function writeNameLine(
  { declared }: CellText,
  { imported, maybePlain, memberOf, isKnown }: NameLineOptions,
): string {
  const members = new Set<string>()
  const parts: string[] = []
  const add = (slot: number, write: (place: string) => string): void => {
    const member = memberOf(slot)
    members.add(member)
    parts.push(write(namespaceOf(member)))
  }
  const alias = (name: string, slot: number): void =>
    add(slot, (place) => `import ${name} = ${place}.${name};`)
  for (const [name, { value, type, slot }] of imported) {
    const own = declared.get(name)?.kind ?? null
    const plain = value === null ? null : maybePlain(value.slot, name)
    if (own !== null && own !== 'type') alias(name, slot)
    else if (plain !== null && (type === null || value?.kind === 'variable')) {
      const isHidden = [...plain.globals].some((each) => declared.has(each) || isKnown(each))
      parts.push(isHidden ? qualified(plain) : plain.text)
      if (type !== null) add(slot, (place) => `type ${name} = ${place}.${name};`)
    } else if (value?.kind === 'variable') {
      // A cell cannot assign to an imported name, so it gets a variable of the same type.
      add(value.slot, (place) => `declare let ${name}: typeof ${place}.${name};`)
      if (type !== null) add(slot, (place) => `type ${name} = ${place}.${name};`)
    } else if (value?.kind === 'union' && type === null && own === null) {
      // TypeScript narrows a constant inside functions, but not an imported name.
      add(value.slot, (place) => `const ${name} = ${place}.${name};`)
    } else if (own === null) alias(name, slot)
    // An imported name would also be a type.
    else if (value !== null)
      add(value.slot, (place) => `declare const ${name}: typeof ${place}.${name};`)
  }
  const imports = [...members].map((member) => `${member} as ${namespaceOf(member)}`)
  return [`import { ${imports.join(', ')} } from '$cells';`, ...parts].join(' ')
}

/** Return the slots of the cells that these names come from. */
export function slotsOf(imported: ReadonlyMap<string, KnownName>): Set<number> {
  const origins = [...imported.values()].flatMap(({ value, type, slot }) => [
    slot,
    ...[value, type].flatMap((origin) => origin?.slot ?? []),
  ])
  return new Set(origins)
}
