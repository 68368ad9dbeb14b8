import ts from 'typescript'

/**
 * Create the transformation that removes types from the imports and exports of a file. `export { Row } from './rows.ts'` does not say whether Row is a type. If
 * the file is compiled on its own, the export stays, and Node finds no such export in the other module.
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

/** Return the export without types; null when nothing is left. */
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

/** Return the import without types; null when nothing is left. */
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

/** A file may import a type and export a value of the same name, so the two are told apart. */
function nameOf(specifier: ts.ImportSpecifier | ts.ExportSpecifier): string {
  return `${ts.isImportSpecifier(specifier) ? 'import' : 'export'} ${specifier.name.text}`
}

/** Return the names (as of {@link nameOf}) that a file imports or exports and that are only types. */
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
