import ts from 'typescript'

/** Texts with fewer characters are checked whole, which takes less than 0.1 s. */
export const largeLength = 20_000

/** A part of a text, by offsets. */
export interface Range {
  readonly start: number
  readonly end: number
}

/**
 * Find the rows of written tables that have the same shape as an earlier row of the same list. They say nothing new about the type of the list: TypeScript joins
 * the types of its items and drops those that are subtypes of others, so equal ones leave no trace. Computing and comparing the types of 9,000 rows takes 1 s
 * of processor time, and of 50,000 rows 6 s.
 *
 * Only literals without names are rows. A list is left out where its type depends on more than shapes: with `as const`, with a declared type, as an argument.
 * `kept` is an offset whose row is not left out.
 */
export function findRepeatedRows(file: ts.SourceFile, kept: number): readonly Range[] {
  const found: Range[] = []
  const visit = (node: ts.Node): void => {
    const value = freeValueOf(node)
    const shape = value === null ? null : shapeOf(value, { file, kept, found })
    // What has a shape contains no other expressions.
    if (shape === null) ts.forEachChild(node, visit)
  }
  visit(file)
  return found.toSorted((a, b) => a.start - b.start)
}

/** Return the text with blanks in these ranges. Lines and offsets stay. */
export function blankRanges(text: string, ranges: readonly Range[]): string {
  let made = ''
  let at = 0
  for (const { start, end } of ranges) {
    const lines = text.slice(start, end).split('\n')
    made += text.slice(at, start) + lines.map((line) => ' '.repeat(line.length)).join('\n')
    at = end
  }
  return made + text.slice(at)
}

/** Return a text with what another text of the same length has in these ranges. */
export function restoreRanges(text: string, from: string, ranges: readonly Range[]): string {
  let made = ''
  let at = 0
  for (const { start, end } of ranges) {
    made += text.slice(at, start) + from.slice(start, end)
    at = end
  }
  return made + text.slice(at)
}

/** Return the literal in a node whose type depends on nothing but itself; null when there is none. */
function freeValueOf(node: ts.Node): ts.Expression | null {
  if (ts.isVariableDeclaration(node))
    return node.type === undefined && ts.isIdentifier(node.name) ? (node.initializer ?? null) : null
  if (ts.isPropertyAccessExpression(node) || ts.isExpressionStatement(node)) return node.expression
  return null
}

interface RowOptions {
  readonly file: ts.SourceFile
  readonly kept: number
  /** Takes the repeated rows; null in the rows of another list. */
  readonly found: Range[] | null
}

/**
 * Return the shape of a literal: two literals of one shape have one type. Null for a value that is not known. Lists note their repeated rows.
 */
function shapeOf(value: ts.Expression, options: RowOptions): string | null {
  if (ts.isParenthesizedExpression(value)) return shapeOf(value.expression, options)
  if (ts.isArrayLiteralExpression(value)) return shapeOfList(value, options)
  if (ts.isObjectLiteralExpression(value)) return shapeOfObject(value, options)
  return shapeOfPrimitive(value)
}

function shapeOfList({ elements }: ts.ArrayLiteralExpression, options: RowOptions): string | null {
  const { kept, found } = options
  const shapes = new Set<string | null>()
  const repeats: Range[] = []
  for (const [index, element] of elements.entries()) {
    const shape = shapeOf(element, { ...options, found: null })
    const isRepeated = shape !== null && shapes.has(shape)
    shapes.add(shape)
    if (found === null || !isRepeated) continue
    const start = element.getStart(options.file)
    const end = elements[index + 1]?.pos ?? elements.end
    if (kept < start || kept > end) repeats.push({ start, end })
  }
  // The lists in the rows that stay may have repeated rows themselves, but these are few.
  found?.push(...repeats)
  return shapes.has(null) ? null : `[${[...shapes].join()}]`
}

function shapeOfObject(
  { properties }: ts.ObjectLiteralExpression,
  options: RowOptions,
): string | null {
  const members = new Map<string, string>()
  let isKnown = true
  for (const each of properties) {
    const name = ts.isPropertyAssignment(each) ? nameOf(each.name) : null
    const shape = ts.isPropertyAssignment(each) ? shapeOf(each.initializer, options) : null
    if (name === null || shape === null || members.has(name)) isKnown = false
    else members.set(name, shape)
  }
  if (!isKnown) return null
  return `{${[...members].map(([name, shape]) => `${JSON.stringify(name)}:${shape}`).join()}}`
}

/** Return the name of a property; null when it is computed, or has a meaning of its own. */
function nameOf(name: ts.PropertyName): string | null {
  const isPlain = ts.isIdentifier(name) || ts.isStringLiteral(name) || ts.isNumericLiteral(name)
  return isPlain && name.text !== '__proto__' ? name.text : null
}

function shapeOfPrimitive(value: ts.Expression): string | null {
  if (ts.isPrefixUnaryExpression(value)) {
    const isSign = [ts.SyntaxKind.MinusToken, ts.SyntaxKind.PlusToken].includes(value.operator)
    return isSign && ts.isNumericLiteral(value.operand) ? 'number' : null
  }
  if (ts.isNumericLiteral(value)) return 'number'
  if (ts.isStringLiteral(value) || ts.isNoSubstitutionTemplateLiteral(value)) return 'string'
  switch (value.kind) {
    case ts.SyntaxKind.TrueKeyword:
    case ts.SyntaxKind.FalseKeyword:
      return 'boolean'
    case ts.SyntaxKind.NullKeyword:
      return 'null'
    case ts.SyntaxKind.BigIntLiteral:
      return 'bigint'
    default:
      return ts.isIdentifier(value) && value.text === 'undefined' ? 'undefined' : null
  }
}
