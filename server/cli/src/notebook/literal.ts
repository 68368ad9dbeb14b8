import type ts from 'typescript'
import { compiler } from './compiler.ts'

/** A value as TypeScript writes it, or why a text is none that would keep its value. */
export type Literal =
  | { readonly code: string }
  /** The text is a number that would change, with what it would become. */
  | { readonly inexact: string; readonly becomes: string }

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/iu
const whole = /^[+-]?(\d+|0x[\da-f]+|0b[01]+|0o[0-7]+)$/iu

/**
 * Read a text as a value of TypeScript: a number as shells write it (`.5`, `+5`, `007`), or a literal of any kind (`12n`, `true`, `null`, `NaN`,
 * `[1, 2]`, `{ "a": 1 }`). Nothing is computed and no digit is lost. Null: it is no value, so it can only be a text.
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

/** Read a whole number of any size as a bigint's literal, with or without its `n`; null when it is none. */
export function readBigInt(text: string): string | null {
  const trimmed = text.trim().replace(/n$/u, '')
  if (!whole.test(trimmed)) return null
  const negative = trimmed.startsWith('-')
  return `${negative ? '-' : ''}${BigInt(trimmed.replace(/^[+-]/u, ''))}n`
}

/** Write a text as TypeScript's literal of it. */
export function textLiteral(text: string): string {
  return JSON.stringify(text)
}

/** Whether all digits of a decimal number survive in a JavaScript number: it is finite, and as many digits of what is kept are the same. */
function isExact(text: string): boolean {
  const value = Number(text.replaceAll('_', ''))
  // Hexadecimal, octal and binary numbers have only whole values.
  if (/^0[xbo]/iu.test(text)) return BigInt(text.replaceAll('_', '')) === BigInt(value)
  if (!Number.isFinite(value)) return false
  const written = digitsOf(text.replaceAll('_', ''))
  if (written.digits === '') return true
  if (written.digits.length > 100 || value === 0) return false
  const kept = digitsOf(value.toPrecision(written.digits.length))
  return kept.digits === written.digits && kept.exponent === written.exponent
}

/** A decimal number as its digits, without zeros at either end, and the power of ten of the first of them. */
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

/** All digits of a number, without an exponent where there is no need of one. */
function exactDigits(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e40 ? String(BigInt(value)) : String(value)
}

function numberCode(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

/** Whether an expression is a value that is written out. Collects the numbers in it. */
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

/** What the parser says of a text that is alone in its file. */
function hasSyntaxErrors(file: ts.SourceFile): boolean {
  const { diagnostics = [] } = compiler.transpileModule(file.text, { reportDiagnostics: true })
  return diagnostics.length > 0
}
