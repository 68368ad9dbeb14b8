import ts from 'typescript'

/**
 * Make the change that takes types out of a file's imports and exports. `export { Row } from './rows.ts'` does not say whether Row is a type. The emission of
 * one file by itself leaves it, and then Node does not find it in the module that it names.
 */
export function dropTypes(program: ts.Program, path: string): ts.TransformerFactory<ts.SourceFile> {
  const names = typeNames(program, path)
  const isKept = (specifier: ts.ImportSpecifier | ts.ExportSpecifier): boolean =>
    !specifier.isTypeOnly && !names.has(nameOf(specifier))
  return ({ factory }) => {
    const change = (statement: ts.Statement): ts.Statement | null => {
      if (ts.isExportDeclaration(statement)) return dropExports(factory, statement, isKept)
      if (ts.isImportDeclaration(statement)) return dropImports(factory, statement, isKept)
      const isType =
        ts.isExportAssignment(statement) &&
        ts.isIdentifier(statement.expression) &&
        names.has(`import ${statement.expression.text}`)
      return isType ? null : statement
    }
    return (file) =>
      factory.updateSourceFile(
        file,
        file.statements.flatMap((statement) => change(statement) ?? []),
      )
  }
}

type IsKept = (specifier: ts.ImportSpecifier | ts.ExportSpecifier) => boolean

/** The same export without types; null when nothing is left. */
function dropExports(
  factory: ts.NodeFactory,
  statement: ts.ExportDeclaration,
  isKept: IsKept,
): ts.ExportDeclaration | null {
  const { modifiers, exportClause, moduleSpecifier, attributes } = statement
  if (exportClause === undefined || !ts.isNamedExports(exportClause)) return statement
  const kept = exportClause.elements.filter(isKept)
  if (kept.length === exportClause.elements.length) return statement
  if (kept.length === 0) return null
  const clause = factory.updateNamedExports(exportClause, kept)
  return factory.updateExportDeclaration(
    statement,
    modifiers,
    statement.isTypeOnly,
    clause,
    moduleSpecifier,
    attributes,
  )
}

/** The same import without types; null when nothing is left. */
function dropImports(
  factory: ts.NodeFactory,
  statement: ts.ImportDeclaration,
  isKept: IsKept,
): ts.ImportDeclaration | null {
  const { modifiers, importClause, moduleSpecifier, attributes } = statement
  const bindings = importClause?.namedBindings
  if (importClause === undefined || bindings === undefined || !ts.isNamedImports(bindings))
    return statement
  const kept = bindings.elements.filter(isKept)
  if (kept.length === bindings.elements.length) return statement
  if (kept.length === 0 && importClause.name === undefined) return null
  const clause = factory.updateImportClause(
    importClause,
    importClause.phaseModifier,
    importClause.name,
    kept.length === 0 ? undefined : factory.updateNamedImports(bindings, kept),
  )
  return factory.updateImportDeclaration(statement, modifiers, clause, moduleSpecifier, attributes)
}

/** A file may import a type and export a value of the same name. */
function nameOf(specifier: ts.ImportSpecifier | ts.ExportSpecifier): string {
  return `${ts.isImportSpecifier(specifier) ? 'import' : 'export'} ${specifier.name.text}`
}

/** The names that a file imports or exports, and that are types alone, as {@link nameOf} has them. */
function typeNames(program: ts.Program, path: string): ReadonlySet<string> {
  const checker = program.getTypeChecker()
  const isType = (name: ts.ModuleExportName): boolean => {
    const symbol = checker.getSymbolAtLocation(name)
    if (symbol === undefined || (symbol.flags & ts.SymbolFlags.Alias) === 0) return false
    const target = checker.getAliasedSymbol(symbol)
    return !checker.isUnknownSymbol(target) && (target.flags & ts.SymbolFlags.Value) === 0
  }
  const statements = program.getSourceFile(path)?.statements ?? []
  const names = statements
    .flatMap(specifiersOf)
    .flatMap((specifier) => (isType(specifier.name) ? nameOf(specifier) : []))
  return new Set(names)
}

function specifiersOf(
  statement: ts.Statement,
): readonly (ts.ImportSpecifier | ts.ExportSpecifier)[] {
  if (ts.isExportDeclaration(statement))
    return statement.exportClause !== undefined && ts.isNamedExports(statement.exportClause)
      ? statement.exportClause.elements
      : []
  const bindings = ts.isImportDeclaration(statement)
    ? statement.importClause?.namedBindings
    : undefined
  return bindings !== undefined && ts.isNamedImports(bindings) ? bindings.elements : []
}
