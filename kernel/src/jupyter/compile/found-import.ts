import type {
  ExportAllDeclaration,
  ExportNamedDeclaration,
  ImportDeclaration,
  ModuleDeclaration,
  Statement,
} from 'acorn'

/** An import in the compiled text of a cell. */
export interface FoundImport {
  readonly from: string
  readonly attributes: Readonly<Record<string, string>> | null
  readonly names: readonly (readonly [exported: string, variable: string])[]
  /** Offset in the compiled text. */
  readonly start: number
}

type ImportNode = ImportDeclaration | ExportAllDeclaration | ExportNamedDeclaration

/**
 * Tell whether a statement is an import, or an export that the compilation leaves: `export … from`, whose module is loaded, or the `export {}` that TypeScript
 * adds.
 */
export function isImport(node: Statement | ModuleDeclaration): node is ImportNode {
  return /^(?:ImportDeclaration|Export(?:All|Named)Declaration)$/u.test(node.type)
}

/** Read what a statement imports; null when it imports nothing at run time. `types` are the imported names that are only types. */
export function readImport(node: ImportNode, types: ReadonlySet<string>): FoundImport | null {
  if (node.source == null) return null
  const names = node.type === 'ImportDeclaration' ? namesOf(node, types) : []
  if (node.type === 'ImportDeclaration' && names.length === 0 && node.specifiers.length > 0)
    return null
  return {
    from: String(node.source.value),
    attributes: attributesOf(node.attributes),
    names,
    start: node.start,
  }
}

function namesOf(
  node: ImportDeclaration,
  types: ReadonlySet<string>,
): (readonly [string, string])[] {
  return node.specifiers.flatMap((specifier): (readonly [string, string])[] => {
    const { name } = specifier.local
    if (types.has(name)) return []
    if (specifier.type === 'ImportNamespaceSpecifier') return [['*', name]]
    if (specifier.type === 'ImportDefaultSpecifier') return [['default', name]]
    const { imported } = specifier
    return [[imported.type === 'Identifier' ? imported.name : String(imported.value), name]]
  })
}

function attributesOf(attributes: ImportDeclaration['attributes']): Record<string, string> | null {
  if (attributes.length === 0) return null
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key.type === 'Identifier' ? key.name : String(key.value),
      String(value.value),
    ]),
  )
}
