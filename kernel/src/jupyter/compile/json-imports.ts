import ts from 'typescript'
import type { PathSettings } from './path-settings.ts'
import { isJson, wholeJsonScheme } from './whole-json.ts'

/**
 * Create the transformation that makes `import * as x` of a JSON file the default import of a specifier with the {@link wholeJsonScheme}. As a module, the file
 * would have a member `default` that its type lacks.
 */
export function takeWholeJson(
  path: string,
  paths: PathSettings | null,
): ts.TransformerFactory<ts.SourceFile> {
  return ({ factory }) => {
    const change = (statement: ts.Statement): ts.Statement | readonly ts.Statement[] => {
      if (!ts.isImportDeclaration(statement)) return statement
      const { modifiers, importClause, moduleSpecifier, attributes } = statement
      const bindings = importClause?.namedBindings
      if (bindings === undefined || !ts.isNamespaceImport(bindings)) return statement
      if (!ts.isStringLiteral(moduleSpecifier) || !isJson(moduleSpecifier.text, paths))
        return statement
      const whole = factory.createStringLiteral(wholeJsonScheme + moduleSpecifier.text)
      const clause = factory.createImportClause(undefined, bindings.name, undefined)
      const all = path.endsWith('.cts')
        ? factory.createImportEqualsDeclaration(
            modifiers,
            false,
            bindings.name,
            factory.createExternalModuleReference(whole),
          )
        : factory.createImportDeclaration(modifiers, clause, whole)
      if (importClause?.name === undefined) return all
      // An update, not a new declaration: to TypeScript, the uses of the name belong to the original one.
      const { phaseModifier, name } = importClause
      const first = factory.updateImportClause(importClause, phaseModifier, name, undefined)
      return [
        factory.updateImportDeclaration(statement, modifiers, first, moduleSpecifier, attributes),
        all,
      ]
    }
    return (file) => factory.updateSourceFile(file, file.statements.flatMap(change))
  }
}
