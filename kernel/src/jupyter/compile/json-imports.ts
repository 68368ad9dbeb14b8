import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import ts from 'typescript'

/**
 * Create the transformation that makes `import * as x` of a JSON file its value, as TypeScript takes it. As a module, the file has one member more, `default`.
 * A file that has such a member itself is a module for TypeScript, too, so its import stays.
 */
export function takeWholeJson(path: string): ts.TransformerFactory<ts.SourceFile> {
  return ({ factory }) => {
    const change = (statement: ts.Statement): ts.Statement | readonly ts.Statement[] => {
      if (!ts.isImportDeclaration(statement)) return statement
      const { modifiers, importClause, moduleSpecifier, attributes } = statement
      const bindings = importClause?.namedBindings
      if (bindings === undefined || !ts.isNamespaceImport(bindings)) return statement
      if (!ts.isStringLiteral(moduleSpecifier) || !isPlainJson(moduleSpecifier.text, path))
        return statement
      const before = importClause?.name
      const isCommon = path.endsWith('.cts')
      const names = [before, isCommon ? undefined : bindings.name].flatMap((name) => name ?? [])
      const specifiers = names.map((name) =>
        factory.createImportSpecifier(false, factory.createIdentifier('default'), name),
      )
      const clause = factory.createNamedImports(specifiers)
      const imported = factory.updateImportDeclaration(
        statement,
        modifiers,
        factory.createImportClause(undefined, undefined, clause),
        moduleSpecifier,
        attributes,
      )
      if (!isCommon) return imported
      const file = factory.createExternalModuleReference(moduleSpecifier)
      const required = factory.createImportEqualsDeclaration(modifiers, false, bindings.name, file)
      return before === undefined ? required : [imported, required]
    }
    return (file) => factory.updateSourceFile(file, file.statements.flatMap(change))
  }
}

/** Tell whether a module is a JSON file without a member `default`. */
function isPlainJson(specifier: string, from: string): boolean {
  if (!specifier.endsWith('.json')) return false
  try {
    const text = readFileSync(createRequire(from).resolve(specifier), 'utf8')
    if (!text.includes('"default"')) return true
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/u, ''))
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return !isObject || !Object.hasOwn(value, 'default')
  } catch {
    // Importing it gives the error.
    return true
  }
}
