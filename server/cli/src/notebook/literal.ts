import type ts from 'typescript'
import { compiler } from './compiler.ts'

/** A value in TypeScript's syntax, or the reason why a text cannot be one without a change of its value. */
export type Literal =
  | { readonly code: string }
  /** The text is a number that would change. `becomes` is the result. */
  | { readonly inexact: string; readonly becomes: string }

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/iu
const whole = /^[+-]?(\d+|0x[\da-f]+|0b[01]+|0o[0-7]+)$/iu

/**
 * Read a text as a value of TypeScript: a number in a form that shells accept (`.5`, `+5`, `007`), or a literal of any kind (`12n`, `true`, `null`, `NaN`,
 * `[1, 2]`, `{ "a": 1 }`). Nothing is computed and no digit is lost. Returns null when the text is no such value, so that it can only be a text.
 */
export function readLiteral(text: string): Literal | null {
  const trimmed = text.trim()
  if (decimal.test(trimmed))
    return isExact(trimmed) ? { code: numberCode(Number(trimmed)) } : inexact(trimmed)
  const file = compiler.createSourceFile(
    'value.ts',
    `(${trimmed}\n)`,
    compiler.ScriptTarget.ESNext,
    true,
  )
  const [statement, ...more] = file.statements
  if (statement === undefined || more.length > 0 || hasSyntaxErrors(file)) return null
  if (
    !compiler.isExpressionStatement(statement) ||
    !compiler.isParenthesizedExpression(statement.expression)
  )
    return null
  const { expression } = statement.expression
  const numbers: string[] = []
  if (!isValue(expression, numbers)) return null
  const lost = numbers.find((each) => !isExact(each))
  return lost === undefined ? { code: expression.getText(file) } : inexact(lost)
}

/** Read an integer of any size as a bigint literal, with or without its `n`; null when the text is not an integer. */
export function readBigInt(text: string): string | null {
  const trimmed = text.trim().replace(/n$/u, '')
  if (!whole.test(trimmed)) return null
  const negative = trimmed.startsWith('-')
  return `${negative ? '-' : ''}${BigInt(trimmed.replace(/^[+-]/u, ''))}n`
}

/** Write a text as a string literal of TypeScript. */
export function textLiteral(text: string): string {
  return JSON.stringify(text)
}

/** Tell whether a JavaScript number keeps all digits of a decimal number: it is finite, and its digits are the same up to the number of given digits. */
function isExact(text: string): boolean {
  const value = Number(text.replaceAll('_', ''))
  // Hexadecimal, octal and binary numbers are always integers.
  if (/^0[xbo]/iu.test(text)) return BigInt(text.replaceAll('_', '')) === BigInt(value)
  if (!Number.isFinite(value)) return false
  const written = digitsOf(text.replaceAll('_', ''))
  if (written.digits === '') return true
  if (written.digits.length > 100 || value === 0) return false
  const kept = digitsOf(value.toPrecision(written.digits.length))
  return kept.digits === written.digits && kept.exponent === written.exponent
}

/** Return the digits of a decimal number, without zeros at either end, and the power of ten of the first digit. */
function digitsOf(text: string): { readonly digits: string; readonly exponent: number } {
  const [, before = '', after = '', power = '0'] =
    /^[+-]?(\d*)\.?(\d*)(?:e([+-]?\d+))?$/iu.exec(text) ?? []
  const all = before + after
  const significant = all.replace(/^0+/u, '')
  const exponent = Number(power) + before.length - (all.length - significant.length)
  return { digits: significant.replace(/0+$/u, ''), exponent }
}

function inexact(text: string): Literal {
  const value = /^0[xbo]/iu.test(text) ? Number(BigInt(text.replaceAll('_', ''))) : Number(text)
  return { inexact: text, becomes: Number.isFinite(value) ? exactDigits(value) : String(value) }
}

/** Write all digits of a number, without an exponent unless the number needs one. */
function exactDigits(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e40 ? String(BigInt(value)) : String(value)
}

function numberCode(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

/** Tell whether an expression is a literal value. Collects the numbers in it. */
function isValue(node: ts.Expression, numbers: string[]): boolean {
  if (compiler.isNumericLiteral(node)) {
    numbers.push(node.getText())
    return true
  }
  if (compiler.isStringLiteralLike(node) || compiler.isBigIntLiteral(node)) return true
  if (compiler.isIdentifier(node)) return ['undefined', 'NaN', 'Infinity'].includes(node.text)
  if (compiler.isPrefixUnaryExpression(node))
    return isSigned(node) && isValue(node.operand, numbers)
  if (compiler.isArrayLiteralExpression(node))
    return node.elements.every((each) => isValue(each, numbers))
  if (compiler.isObjectLiteralExpression(node))
    return node.properties.every(
      (each) =>
        compiler.isPropertyAssignment(each) &&
        !compiler.isComputedPropertyName(each.name) &&
        isValue(each.initializer, numbers),
    )
  return constants.has(node.kind)
}

const constants: ReadonlySet<ts.SyntaxKind> = new Set([
  compiler.SyntaxKind.TrueKeyword,
  compiler.SyntaxKind.FalseKeyword,
  compiler.SyntaxKind.NullKeyword,
])

function isSigned({ operator, operand }: ts.PrefixUnaryExpression): boolean {
  const signs: readonly ts.SyntaxKind[] = [
    compiler.SyntaxKind.MinusToken,
    compiler.SyntaxKind.PlusToken,
  ]
  return (
    signs.includes(operator) &&
    (compiler.isNumericLiteral(operand) ||
      compiler.isBigIntLiteral(operand) ||
      (compiler.isIdentifier(operand) && operand.text === 'Infinity'))
  )
}

/** Tell whether the parser reports errors for a text. */
function hasSyntaxErrors(file: ts.SourceFile): boolean {
  const { diagnostics = [] } = compiler.transpileModule(file.text, { reportDiagnostics: true })
  return diagnostics.length > 0
}
