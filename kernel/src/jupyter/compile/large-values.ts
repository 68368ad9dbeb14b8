import ts from 'typescript'
import { Edits } from './edits.ts'

/** Values that are written out with more characters than this are large. */
const largeLength = 20_000
/** The type of an object with more properties is about as long as the object. */
const maxProperties = 200

/**
 * Write types in the place of large values that a cell has written out, such as thousands of rows. TypeScript looks at a value again for each later cell that
 * uses it, which takes as long as the first time. Lines do not move.
 *
 * Returns the cell's text with such types; null when it has no such values.
 */
export function typeLargeValues(program: ts.Program, path: string, source: string): string | null {
  const file = program.getSourceFile(path)
  if (file === undefined || source.length < largeLength) return null
  /** What stands in the module before the text of the cell. */
  const shift = file.text.indexOf('\n') + 1
  const edits = new Edits(source)
  let isChanged = false
  for (const { name, type, initializer } of file.statements.flatMap(declarationsOf)) {
    if (initializer === undefined || type !== undefined || !ts.isIdentifier(name)) continue
    if (initializer.getWidth(file) < largeLength || !isWrittenOut(initializer)) continue
    const text = maybeTypeText(program.getTypeChecker(), name)
    if (text === null) continue
    const start = initializer.getStart(file) - shift
    const end = initializer.end - shift
    const lines = source.slice(start, end).split('\n').length - 1
    edits.replace(start, end, `(null as unknown as ${text}${'\n'.repeat(lines)})`)
    isChanged = true
  }
  return isChanged ? edits.apply() : null
}

function declarationsOf(statement: ts.Statement): readonly ts.VariableDeclaration[] {
  return ts.isVariableStatement(statement) ? statement.declarationList.declarations : []
}

/** The type of a variable as text; null when that is not much shorter than a value. */
function maybeTypeText(checker: ts.TypeChecker, name: ts.Identifier): string | null {
  const type = checker.getTypeAtLocation(name)
  if (type.getProperties().length > maxProperties) return null
  const text = checker.typeToString(type, name, ts.TypeFormatFlags.NoTruncation)
  return text.length > largeLength / 2 ? null : text
}

/** Whether a value has no name of anything else in it, so that its type can be written down anywhere. */
function isWrittenOut(value: ts.Expression): boolean {
  if (ts.isArrayLiteralExpression(value)) return value.elements.every(isWrittenOut)
  if (ts.isObjectLiteralExpression(value))
    return value.properties.every(
      (each) =>
        ts.isPropertyAssignment(each) &&
        !ts.isComputedPropertyName(each.name) &&
        isWrittenOut(each.initializer),
    )
  if (ts.isPrefixUnaryExpression(value)) return isWrittenOut(value.operand)
  if (ts.isLiteralExpression(value)) return !ts.isRegularExpressionLiteral(value)
  return [
    ts.SyntaxKind.TrueKeyword,
    ts.SyntaxKind.FalseKeyword,
    ts.SyntaxKind.NullKeyword,
  ].includes(value.kind)
}
