import { LabError, nearestName } from '@community-lab/contract'
import { readParametersCell, type Candidate, type Declaration } from './declaration.ts'
import { readBigInt, readLiteral, textLiteral } from './literal.ts'

/** A parameter from the command line. */
export interface GivenParameter {
  readonly name: string
  readonly text: string
}

/** The cell that declares a notebook's parameters. */
export interface DeclaringCell {
  readonly source: string
  /** The absolute path of the notebook. */
  readonly file: string
}

/**
 * Write the cell that sets parameters: each value exactly as it was given, and with the declared type of its parameter.
 *
 * A parameter that is a text takes its value literally. For other parameters, the value is read as TypeScript. When that fails and the type also allows texts,
 * the value is a text. Variables are assigned; constants are declared again. Of two values for one parameter the later one counts.
 * @throws {@link LabError} LAB_NOTEBOOK_PARAMETER with the name and the expected syntax.
 */
export function writeParameters(cell: DeclaringCell, given: readonly GivenParameter[]): string {
  const { declarations, judge } = readParametersCell(cell.source, cell.file)
  const known = new Map(declarations.map((each) => [each.name, each]))
  const wanted = [...new Map(given.map(({ name, text }) => [name, text]))].map(([name, text]) => {
    const declaration = known.get(name)
    if (declaration === undefined) throw unknownName(name, [...known.keys()])
    return { declaration, text, candidates: candidatesFor(declaration, text) }
  })
  const judged = judge(wanted.flatMap(({ candidates }) => candidates))
  const values = wanted.map(({ declaration, text }) => {
    const own = judged.filter(({ name }) => name === declaration.name)
    const fitting = own.find(({ complaint }) => complaint === null)
    if (fitting === undefined || declaration.kind === 'open') {
      const complaint = own.find((each) => each.complaint !== null)?.complaint ?? null
      throw refuse(declaration, text, complaint)
    }
    return { declaration, code: fitting.code }
  })
  return sourceOf(values)
}

/** Return the possible meanings of a text, the likeliest first. */
function candidatesFor({ name, kind }: Declaration, text: string): readonly Candidate[] {
  if (kind === 'text') return [{ name, code: textLiteral(text) }]
  const literal = readLiteral(text)
  const whole = readBigInt(text)
  return [
    ...(literal !== null && 'code' in literal ? [{ name, code: literal.code }] : []),
    ...(whole === null ? [] : [{ name, code: whole }]),
    { name, code: textLiteral(text) },
  ]
}

interface Value {
  readonly declaration: Declaration
  readonly code: string
}

function sourceOf(values: readonly Value[]): string {
  const redeclared = values
    .filter(({ declaration }) => declaration.isConst)
    .map(({ declaration: { name, annotation }, code }) => {
      return `const ${name}${annotation === null ? '' : `: ${annotation}`} = ${code}`
    })
  const assigned = values
    .filter(({ declaration }) => !declaration.isConst)
    .map(({ declaration: { name }, code }) => `  ${name} = ${code}`)
  // The block keeps the last assignment from being shown as a result.
  const block = assigned.length === 0 ? [] : ['{', ...assigned, '}']
  return ['// Parameters', ...redeclared, ...block].join('\n')
}

function unknownName(name: string, known: readonly string[]): LabError {
  const near = nearestName(name, known)
  const hint = near === null ? '' : `; did you mean ${near}?`
  const problem = `the notebook declares none of this name${hint} (there are: ${known.join(', ') || 'none'})`
  return new LabError('LAB_NOTEBOOK_PARAMETER', { name, problem })
}

function refuse(declaration: Declaration, text: string, complaint: string | null): LabError {
  const { name } = declaration
  const literal = readLiteral(text)
  const problem =
    literal !== null && 'inexact' in literal && declaration.kind !== 'open'
      ? inexactProblem(declaration, literal)
      : `${JSON.stringify(text)} ${mismatch(declaration, text, complaint)}`
  return new LabError('LAB_NOTEBOOK_PARAMETER', { name, problem })
}

function inexactProblem(
  { name, kind }: Declaration,
  { inexact, becomes }: { readonly inexact: string; readonly becomes: string },
): string {
  const reason = ['Infinity', '0'].includes(becomes) ? 'do not reach so far' : 'hold fewer digits'
  const what = `${inexact} would become ${becomes}, because numbers of JavaScript ${reason}`
  const isWhole = readBigInt(inexact) !== null
  const asBigInt = isWhole ? `as bigint, \`let ${name} = 1n\`, or ` : ''
  return kind === 'number'
    ? `${what}; declare it ${asBigInt}as text, \`let ${name} = '1'\`, or give fewer digits`
    : `${what}; write it as text or with fewer digits`
}

function mismatch(
  { name, kind, type, choices }: Declaration,
  text: string,
  complaint: string | null,
): string {
  switch (kind) {
    case 'number':
      return `is no number; write it as ${name}=3 or ${name}=2.5`
    case 'bigint':
      return `is no whole number; write it as ${name}=3`
    case 'boolean':
      return `is neither true nor false; write ${name}=true or ${name}=false`
    case 'choice':
      return `is none of ${choices.join(', ')}; write it as ${name}=${choices[0] ?? ''}`
    case 'open':
      return `could be a text or a value, because the cell that declares it gives it no type; write \`let ${name}: string\`, or another type, there`
    default:
      return `is no ${type}${complaint === null ? '' : ` (${complaint})`}; write it as TypeScript does${/["'[{]/u.test(text) ? '' : ", in the shell's quotes"}`
  }
}
