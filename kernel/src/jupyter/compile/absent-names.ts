import ts from 'typescript'
import { codes, type PlacedDiagnostic } from './complaints.ts'

/** Names that the types of Node declare, but that Node has only when it is started with an option. Source: Node 24, option --experimental-webstorage. */
const absent: readonly string[] = ['localStorage', 'sessionStorage'].filter(
  (name) => !(name in globalThis),
)

/** Find uses of global names that pass TypeScript's check although no cell has them. `words` are the words of the file. */
export function findAbsentNames(
  program: ts.Program,
  file: ts.SourceFile,
  words: ReadonlySet<string>,
): readonly PlacedDiagnostic[] {
  if (!absent.some((name) => words.has(name))) return []
  const checker = program.getTypeChecker()
  const found: PlacedDiagnostic[] = []
  const visit = (node: ts.Node): void => {
    // `typeof name` does not fail when there is no such name.
    if (ts.isTypeOfExpression(node) && ts.isIdentifier(node.expression)) return
    if (ts.isTypeNode(node)) return
    // `globalThis.localStorage` is undefined and does not throw.
    const isMember = ts.isPropertyAccessExpression(node.parent) && node.parent.name === node
    if (ts.isIdentifier(node) && absent.includes(node.text) && !isMember) {
      const declarations = checker.getSymbolAtLocation(node)?.declarations ?? []
      if (declarations.length > 0 && declarations.every(isOfNode)) found.push(missing(file, node))
    }
    ts.forEachChild(node, visit)
  }
  for (const statement of file.statements) visit(statement)
  return found
}

function isOfNode(declaration: ts.Declaration): boolean {
  return declaration.getSourceFile().fileName.includes('/node_modules/@types/node/')
}

function missing(file: ts.SourceFile, node: ts.Identifier): PlacedDiagnostic {
  return {
    file,
    start: node.getStart(),
    length: node.getWidth(),
    category: ts.DiagnosticCategory.Error,
    code: codes.browserName,
    messageText: `Cannot find name '${node.text}'.`,
  }
}
