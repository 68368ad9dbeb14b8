import { namespaceOf } from './cell-files.ts'
import type { CellText } from './cell-text.ts'
import type { KnownName } from './names.ts'
import { qualified, type PlainDeclaration } from './plain-types.ts'

/** What the first line of a cell's module is written from. */
export interface NameLineOptions {
  /** The names that it takes from earlier cells. */
  readonly brought: ReadonlyMap<string, KnownName>
  /** The declaration of a name of the cell in that slot; null when the module of that cell declares it. */
  maybePlain(slot: number, name: string): PlainDeclaration | null
  /** The number of the file that has the module of the cell in that slot. */
  fileOf(slot: number): number
  /** Whether a cell has declared that name. */
  isKnown(name: string): boolean
}

/** The names that a cell's module takes from earlier cells. `isUsed` says which it uses. */
export function namesFor(
  { declared }: CellText,
  all: ReadonlyMap<string, KnownName>,
  isUsed: (name: string) => boolean,
): ReadonlyMap<string, KnownName> {
  const taken = [...all].flatMap(([name, known]): [string, KnownName][] => {
    const own = declared.get(name)?.kind ?? null
    if (!isUsed(name)) return []
    if (own === null) return [[name, known]]
    const { value, type } = known
    // The cell has `type Point = …`, and an earlier cell a value of that name.
    if (own === 'type')
      return value === null ? [] : [[name, { value, type: null, slot: value.slot }]]
    // The cell has `const Point = …`, and an earlier cell `interface Point`: the type stays known beside the value.
    return own !== 'both' && type?.kind === 'type' && value === null ? [[name, known]] : []
  })
  return new Map(taken)
}

/** Write the line that brings names of earlier cells into a cell's module. */
export function writeNameLine(
  { declared }: CellText,
  { brought, maybePlain, fileOf, isKnown }: NameLineOptions,
): string {
  const files = new Set<number>()
  const parts: string[] = []
  const add = (slot: number, write: (place: string) => string): void => {
    const file = fileOf(slot)
    files.add(file)
    parts.push(write(namespaceOf(file)))
  }
  const alias = (name: string, slot: number): void =>
    add(slot, (place) => `import ${name} = ${place}.${name};`)
  for (const [name, { value, type, slot }] of brought) {
    const own = declared.get(name)?.kind ?? null
    const plain = value === null ? null : maybePlain(value.slot, name)
    if (own !== null && own !== 'type') alias(name, slot)
    else if (plain !== null && (type === null || value?.kind === 'variable')) {
      const isHidden = [...plain.globals].some((each) => declared.has(each) || isKnown(each))
      parts.push(isHidden ? qualified(plain) : plain.text)
      if (type !== null) add(slot, (place) => `type ${name} = ${place}.${name};`)
    } else if (value?.kind === 'variable') {
      // A cell could not assign to an imported name. So it gets a variable of the same type.
      add(value.slot, (place) => `declare let ${name}: typeof ${place}.${name};`)
      if (type !== null) add(slot, (place) => `type ${name} = ${place}.${name};`)
    } else if (value?.kind === 'union' && type === null && own === null) {
      // TypeScript narrows a constant inside functions, but not an imported name.
      add(value.slot, (place) => `const ${name} = ${place}.${name};`)
    } else if (own === null) alias(name, slot)
    // Imported, it would be a type too.
    else if (value !== null)
      add(value.slot, (place) => `declare const ${name}: typeof ${place}.${name};`)
  }
  const imports = [...files].map((file) => `c${file} as ${namespaceOf(file)}`)
  return [`import { ${imports.join(', ')} } from './$cells';`, ...parts].join(' ')
}

/** The slots of the cells that these names come from. */
export function slotsOf(brought: ReadonlyMap<string, KnownName>): Set<number> {
  const homes = [...brought.values()].flatMap(({ value, type, slot }) => [
    slot,
    ...[value, type].flatMap((home) => home?.slot ?? []),
  ])
  return new Set(homes)
}
