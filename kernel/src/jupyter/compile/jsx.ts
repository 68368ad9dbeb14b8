import ts from 'typescript'

/** Find the position where a cell begins to be JSX, 1-based; null when its first syntax error is another one, or when it has none. */
export function findJsx(source: string): { readonly line: number; readonly column: number } | null {
  if (!source.includes('<') || !hasSyntaxError(parse(source, ts.ScriptKind.TS))) return null
  const file = parse(source, ts.ScriptKind.TSX)
  if (hasSyntaxError(file)) return null
  const find = (node: ts.Node): ts.Node | undefined =>
    ts.isJsxElement(node) || ts.isJsxSelfClosingElement(node) || ts.isJsxFragment(node)
      ? node
      : ts.forEachChild(node, find)
  const found = find(file)
  if (found === undefined) return null
  const { line, character } = ts.getLineAndCharacterOfPosition(file, found.getStart(file))
  return { line: line + 1, column: character + 1 }
}

function parse(source: string, kind: ts.ScriptKind): ts.SourceFile {
  return ts.createSourceFile('cell', source, ts.ScriptTarget.Latest, true, kind)
}

function hasSyntaxError(file: ts.SourceFile): boolean {
  // The syntax errors of a parsed file have no public name.
  const found: unknown = Reflect.get(file, 'parseDiagnostics')
  return Array.isArray(found) && found.length > 0
}
