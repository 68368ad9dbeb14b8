import ts from 'typescript'
import { codes, type PlacedDiagnostic } from './complaints.ts'

/** Functions of JavaScript that take any value, and make nothing useful of a promise. The target of `Object.assign` is none of these values. */
const takers: ReadonlySet<string> = new Set([
  'JSON.stringify',
  'Number',
  'Object.assign',
  'Object.entries',
  'Object.keys',
  'Object.values',
  'String',
])

/** Methods of arrays that take any result of their function for true or false. A promise is always true. Those of streams wait for it. */
const choosers: ReadonlySet<string> = new Set([
  'every',
  'filter',
  'find',
  'findIndex',
  'findLast',
  'findLastIndex',
  'some',
])

/** Find promises that pass TypeScript's check where only their value makes sense. Where it does not pass, TypeScript suggests `await` itself. */
export function findForgottenAwaits(
  program: ts.Program,
  file: ts.SourceFile,
): readonly PlacedDiagnostic[] {
  const checker = program.getTypeChecker()
  const found: PlacedDiagnostic[] = []
  const visit = (node: ts.Node): void => {
    for (const [value, why] of usesIn(node))
      if (isPromise(checker.getTypeAtLocation(value))) found.push(complain(file, value, why))
    const chooses = choosingFunction(checker, node)
    if (chooses !== null && returnsPromise(checker, chooses))
      found.push(complain(file, chooses, 'the promise of an async function is always true'))
    if (!ts.isTypeNode(node)) ts.forEachChild(node, visit)
  }
  for (const statement of file.statements) visit(statement)
  return found
}

/** Return the values that a node uses in a way in which a promise makes no sense, and what would happen. */
function usesIn(node: ts.Node): readonly (readonly [ts.Expression, string])[] {
  const asText = "as a text, a promise is '[object Promise]'"
  if (ts.isTemplateExpression(node) && !ts.isTaggedTemplateExpression(node.parent))
    return node.templateSpans.map(({ expression }) => [expression, asText])
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken)
    return [
      [node.left, asText],
      [node.right, asText],
    ]
  if (ts.isPrefixUnaryExpression(node))
    return node.operator === ts.SyntaxKind.ExclamationToken
      ? [[node.operand, 'a promise is always true']]
      : [[node.operand, 'a promise is no number']]
  if (ts.isWhileStatement(node) || ts.isDoStatement(node))
    return [[node.expression, 'a promise is always true']]
  if (ts.isSpreadAssignment(node)) return [[node.expression, 'a promise has no members of its own']]
  if (ts.isCallExpression(node) && takers.has(node.expression.getText()))
    return node.arguments
      .slice(node.expression.getText() === 'Object.assign' ? 1 : 0)
      .map((value) => [value, `${node.expression.getText()} reads the promise itself`])
  return []
}

/** Return the function by whose result an array method chooses; null when the node is no such call. */
function choosingFunction(checker: ts.TypeChecker, node: ts.Node): ts.Expression | null {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return null
  const { name, expression } = node.expression
  if (!choosers.has(name.text) || !isArray(checker, checker.getTypeAtLocation(expression)))
    return null
  return node.arguments[0] ?? null
}

/** Tell whether a type is that of an array, also of numbers. */
export function isArray(checker: ts.TypeChecker, type: ts.Type): boolean {
  const present = checker.getNonNullableType(type)
  if (present.isUnion()) return present.types.every((each) => isArray(checker, each))
  return checker.isArrayLikeType(present) || present.getSymbol()?.name.endsWith('Array') === true
}

function returnsPromise(checker: ts.TypeChecker, node: ts.Expression): boolean {
  const signatures = checker.getTypeAtLocation(node).getCallSignatures()
  return signatures.some((each) => isPromise(each.getReturnType()))
}

function isPromise(type: ts.Type): boolean {
  if (type.isUnion()) return type.types.every(isPromise)
  const name = type.getSymbol()?.name
  return name === 'Promise' || name === 'PromiseLike'
}

function complain(file: ts.SourceFile, node: ts.Node, why: string): PlacedDiagnostic {
  return {
    file,
    start: node.getStart(),
    length: node.getWidth(),
    category: ts.DiagnosticCategory.Error,
    code: codes.awaitForgotten,
    messageText: `A promise is used for its value: ${why}.`,
  }
}
