import ts from 'typescript'
import { Edits } from './edits.ts'

/** A literal of more characters than this is large. */
const largeLength = 20_000
/** A longer type is not written. The type of an object is about as long as the object, but TypeScript reads its members only when they are used. */
const maxTypeLength = 400_000

/**
 * Replace large literals in a cell, such as thousands of rows, by their types. TypeScript checks a literal again for each later cell that uses it, which takes
 * as long as the first time. Lines do not move.
 *
 * Returns the text of the cell with types; null when it has no large literals.
 */
export function typeLargeValues(program: ts.Program, path: string, source: string): string | null {
  const file = program.getSourceFile(path)
  if (file === undefined || source.length < largeLength) return null
  /** The length of the line before the text of the cell. */
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

/** Write the type of a variable; null when it is too long. */
function maybeTypeText(checker: ts.TypeChecker, name: ts.Identifier): string | null {
  const type = checker.getTypeAtLocation(name)
  const text = checker.typeToString(type, name, ts.TypeFormatFlags.NoTruncation)
  return text.length > maxTypeLength ? null : text
}

/** Tell whether an expression is a literal without names, so that its type can be written anywhere. */
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
