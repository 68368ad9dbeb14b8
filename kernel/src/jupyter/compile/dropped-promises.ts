import ts from 'typescript'
import { isArray } from './forgotten-awaits.ts'

/** The longest name of a function in a notice, in characters. */
const maxNameLength = 60

/**
 * How promises are dropped. `one`: an expression gives a promise. `list`: it gives an array of promises. `each`: it calls `forEach`, which drops what its
 * function returns.
 */
type Dropped = 'one' | 'list' | 'each'

/**
 * Describe the promises of a cell that nothing waits for, so that what follows runs before they are done. `void` says that this is meant. The value of a cell's
 * last statement is shown, with a notice of its own.
 */
export function findDroppedPromises(program: ts.Program, path: string): readonly string[] {
  const file = program.getSourceFile(path)
  if (file === undefined) return []
  const checker = program.getTypeChecker()
  const last = file.statements.findLast((each) => !ts.isExportDeclaration(each))
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const values = ts.isExpressionStatement(node) ? valuesOf(node.expression, node === last) : []
    for (const { value, isShown } of values) {
      const how = howDropped(checker, value)
      if (how !== null && (how === 'each' || !isShown)) found.push(describe(file, value, how))
    }
    ts.forEachChild(node, visit)
  }
  for (const statement of file.statements) visit(statement)
  return found
}

/** A value that a statement gives, and whether it is shown as the value of the cell. Other values are dropped. */
interface Given {
  readonly value: ts.Expression
  readonly isShown: boolean
}

/** Return the values that an expression may give. `isShown`: its own value is shown. */
function valuesOf(value: ts.Expression, isShown: boolean): readonly Given[] {
  if (ts.isParenthesizedExpression(value) || ts.isNonNullExpression(value))
    return valuesOf(value.expression, isShown)
  if (ts.isAsExpression(value) || ts.isSatisfiesExpression(value))
    return valuesOf(value.expression, isShown)
  if (ts.isConditionalExpression(value))
    return [value.whenTrue, value.whenFalse].flatMap((each) => valuesOf(each, isShown))
  if (!ts.isBinaryExpression(value)) return [{ value, isShown }]
  const { left, operatorToken, right } = value
  if (operatorToken.kind === ts.SyntaxKind.CommaToken)
    return [...valuesOf(left, false), ...valuesOf(right, isShown)]
  if (!isChoice(operatorToken.kind)) return []
  return [left, right].flatMap((each) => valuesOf(each, isShown))
}

function isChoice(kind: ts.SyntaxKind): boolean {
  return [
    ts.SyntaxKind.AmpersandAmpersandToken,
    ts.SyntaxKind.BarBarToken,
    ts.SyntaxKind.QuestionQuestionToken,
  ].includes(kind)
}

/** Tell how an expression drops promises; null when it drops none. A variable drops none, because it holds its value. */
function howDropped(checker: ts.TypeChecker, value: ts.Expression): Dropped | null {
  if (ts.isTaggedTemplateExpression(value) || ts.isNewExpression(value))
    return isSomePromise(checker, checker.getTypeAtLocation(value)) ? 'one' : null
  if (!ts.isCallExpression(value) || isHandled(value)) return null
  const receiver = receiverReturnedBy(checker, value)
  if (receiver !== null) return howDropped(checker, receiver)
  const type = checker.getNonNullableType(checker.getTypeAtLocation(value))
  if (isSomePromise(checker, type)) return 'one'
  if (isListOfPromises(checker, type)) return 'list'
  return callsForEach(checker, value) ? 'each' : null
}

/** Tell whether a call is of `then`, `catch` or `finally`. They say what happens once the promise has its value. */
function isHandled({ expression }: ts.CallExpression): boolean {
  return (
    ts.isPropertyAccessExpression(expression) &&
    ['then', 'catch', 'finally'].includes(expression.name.text)
  )
}

/** Return the array of which a call is a method that gives the same array; null for other calls. */
function receiverReturnedBy(
  checker: ts.TypeChecker,
  { expression }: ts.CallExpression,
): ts.Expression | null {
  if (!ts.isPropertyAccessExpression(expression)) return null
  if (!['copyWithin', 'fill', 'reverse', 'sort'].includes(expression.name.text)) return null
  const receiver = expression.expression
  const type = checker.getNonNullableType(checker.getTypeAtLocation(receiver))
  return isArray(checker, type) ? receiver : null
}

/** Tell whether each value of a type is a promise or nothing. The class of a library may extend Promise, or add members to one. */
function isSomePromise(checker: ts.TypeChecker, type: ts.Type): boolean {
  if (type.isUnion()) {
    const some = type.types.filter(({ flags }) => (flags & nothing) === 0)
    return some.length > 0 && some.every((each) => isSomePromise(checker, each))
  }
  if (type.isIntersection()) return type.types.some((each) => isSomePromise(checker, each))
  const name = type.getSymbol()?.name
  if (name === 'Promise' || name === 'PromiseLike') return true
  // Only the class itself has base types, not its use with type arguments.
  const declared = 'target' in type ? (type as ts.TypeReference).target : type
  return (
    declared.isClassOrInterface() &&
    checker.getBaseTypes(declared).some((each) => isSomePromise(checker, each))
  )
}

const nothing = ts.TypeFlags.Undefined | ts.TypeFlags.Null | ts.TypeFlags.Void

function isListOfPromises(checker: ts.TypeChecker, type: ts.Type): boolean {
  if (!checker.isArrayType(type) && !checker.isTupleType(type)) return false
  const item = checker.getIndexTypeOfType(type, ts.IndexKind.Number)
  return item !== undefined && isSomePromise(checker, item)
}

/** Tell whether a call is of the method `forEach` of an array, a map or a set, with a function that returns a promise. */
function callsForEach(checker: ts.TypeChecker, call: ts.CallExpression): boolean {
  const { expression, arguments: given } = call
  if (!ts.isPropertyAccessExpression(expression) || expression.name.text !== 'forEach') return false
  const [called] = given
  if (called === undefined) return false
  const type = checker.getNonNullableType(checker.getTypeAtLocation(expression.expression))
  const isCollection = ['Map', 'Set', 'ReadonlyMap', 'ReadonlySet'].includes(
    type.getSymbol()?.name ?? '',
  )
  if (!isCollection && !isArray(checker, type)) return false
  return checker
    .getTypeAtLocation(called)
    .getCallSignatures()
    .some((signature) => isSomePromise(checker, signature.getReturnType()))
}

function describe(file: ts.SourceFile, value: ts.Expression, how: Dropped): string {
  // The kernel has added the first line of a cell's module, so zero-based lines of the module are 1-based lines of the cell.
  const { line } = file.getLineAndCharacterOfPosition(value.getStart())
  const name = nameOf(value)
  if (how === 'one')
    return `Line ${line}: nothing waits for ${name}, so what follows runs before it is done. Write \`await\` before it, or \`void\` where that is meant.`
  const said = `Line ${line}: nothing waits for the promises of ${name}, so what follows runs before they are done.`
  return how === 'list'
    ? `${said} Write \`await Promise.all(…)\` around it, or \`void\` before it where that is meant.`
    : `${said} Write \`for (const each of …) await …\`, or \`await Promise.all(….map(…))\`, or \`void\` before it where that is meant.`
}

/** Return the name of what a call calls, such as `save(…)`. */
function nameOf(value: ts.Expression): string {
  const shown = (node: ts.Node): string =>
    node.getText().replaceAll(/\s+/gu, ' ').slice(-maxNameLength)
  if (ts.isTaggedTemplateExpression(value)) return `${shown(value.tag)}\`…\``
  if (ts.isNewExpression(value)) return `new ${shown(value.expression)}(…)`
  return ts.isCallExpression(value) ? `${shown(value.expression)}(…)` : shown(value)
}
