import { dirname, join } from 'node:path'
import type ts from 'typescript'
import { compiler } from './compiler.ts'

/** A parameter that a cell declares. */
export interface Declaration {
  readonly name: string
  readonly isConst: boolean
  /** The type in the cell's declaration; null when there is none, and the parameter has the type of its default. */
  readonly annotation: string | null
  /** The type, as TypeScript prints it. */
  readonly type: string
  readonly kind: TypeKind
  /** The allowed values, if the type lists them. */
  readonly choices: readonly string[]
}

/** The kinds of types that are handled differently. `open` is `any` or `unknown`; `other` is everything that has no kind of its own. */
export type TypeKind = 'text' | 'number' | 'bigint' | 'boolean' | 'choice' | 'open' | 'other'

/** A value for a parameter, in TypeScript's syntax. */
export interface Candidate {
  readonly name: string
  readonly code: string
}

/** A candidate with TypeScript's error for it; null when it may be assigned. */
export interface JudgedCandidate extends Candidate {
  readonly complaint: string | null
}

/** TypeScript's analysis of a cell. */
export interface ParametersCell {
  readonly declarations: readonly Declaration[]
  /** Check which candidates may be assigned to the parameters that they name. */
  judge(candidates: readonly Candidate[]): readonly JudgedCandidate[]
}

/** Analyse the cell that declares a notebook's parameters. Imports are resolved from `notebookFile`. Takes about half a second. */
export function readParametersCell(source: string, notebookFile: string): ParametersCell {
  const file = join(dirname(notebookFile), 'community-lab-parameters.ts')
  const widened = widen(source)
  const host = createHost()
  const { checker, root } = analyse(host, file, widened)
  return {
    declarations: [...variablesOf(root)].map(({ name, isConst, node }) => {
      const type = checker.getTypeAtLocation(node.name)
      return {
        name,
        isConst: isConst(source),
        annotation: node.type?.getText(root) ?? null,
        type: checker.typeToString(type),
        kind: kindOf(type),
        choices: choicesOf(type),
      }
    }),
    judge(candidates) {
      const functions = candidates.map(functionOf)
      const head = `${widened}\nexport {}\n`
      const judged = analyse(host, file, head + functions.join(''))
      const complaints = judged.program.getSemanticDiagnostics(judged.root)
      let to = head.length
      return candidates.map((candidate, at) => {
        const from = to
        to += functions[at]?.length ?? 0
        const own = complaints.find(({ start = -1 }) => start >= from && start < to)
        return { ...candidate, complaint: own === undefined ? null : sentenceOf(own) }
      })
    },
  }
}

/** Change constants into variables, because the type of `const a = 1` is `1` instead of `number`. The text keeps its length. */
function widen(source: string): string {
  const root = compiler.createSourceFile('cell.ts', source, compiler.ScriptTarget.ESNext, true)
  return [...variablesOf(root)].reduceRight((text, { list }) => {
    const start = list.getStart(root)
    return text.startsWith('const', start)
      ? `${text.slice(0, start)}let  ${text.slice(start + 'const'.length)}`
      : text
  }, source)
}

interface Variable {
  readonly name: string
  readonly node: ts.VariableDeclaration
  readonly list: ts.VariableDeclarationList
  /** Tell whether the original cell, which has the same length, declares the parameter as a constant. */
  readonly isConst: (source: string) => boolean
}

function* variablesOf(root: ts.SourceFile): Generator<Variable> {
  for (const statement of root.statements) {
    if (!compiler.isVariableStatement(statement)) continue
    const list = statement.declarationList
    const isConst = (source: string) => source.startsWith('const', list.getStart(root))
    for (const node of list.declarations)
      if (compiler.isIdentifier(node.name)) yield { name: node.name.text, node, list, isConst }
  }
}

/** Write a function that assigns a candidate. Within a function the cell's own assignments do not narrow the parameter's type. */
function functionOf({ name, code }: Candidate, at: number): string {
  return `function candidate${at}() { const value: typeof ${name} = ${code}\n; return value }\n`
}

function sentenceOf({ messageText }: ts.Diagnostic): string {
  return compiler.flattenDiagnosticMessageText(messageText, ' ').replaceAll(/\s+/gu, ' ')
}

const options: ts.CompilerOptions = {
  target: compiler.ScriptTarget.ESNext,
  module: compiler.ModuleKind.NodeNext,
  moduleResolution: compiler.ModuleResolutionKind.NodeNext,
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
  lib: ['lib.esnext.d.ts'],
}

/** Create the compiler's access to files. It parses each file once. */
function createHost(): ts.CompilerHost {
  const host = compiler.createCompilerHost(options, true)
  const { getSourceFile } = host
  const parsed = new Map<string, ts.SourceFile | undefined>()
  host.getSourceFile = (name, ...rest) => {
    if (!parsed.has(name)) parsed.set(name, getSourceFile(name, ...rest))
    return parsed.get(name)
  }
  return host
}

interface Analysis {
  readonly program: ts.Program
  readonly checker: ts.TypeChecker
  readonly root: ts.SourceFile
}

/** Analyse a text as the content of a file that does not exist. */
function analyse(files: ts.CompilerHost, file: string, text: string): Analysis {
  const root = compiler.createSourceFile(file, text, compiler.ScriptTarget.ESNext, true)
  const host: ts.CompilerHost = {
    ...files,
    fileExists: (name) => name === file || files.fileExists(name),
    getSourceFile: (name, ...rest) => (name === file ? root : files.getSourceFile(name, ...rest)),
  }
  const program = compiler.createProgram({ rootNames: [file], options, host })
  return { program, checker: program.getTypeChecker(), root }
}

const kinds: readonly (readonly [ts.TypeFlags, TypeKind])[] = [
  [compiler.TypeFlags.Any | compiler.TypeFlags.Unknown, 'open'],
  [compiler.TypeFlags.String, 'text'],
  [compiler.TypeFlags.NumberLike, 'number'],
  [compiler.TypeFlags.BigIntLike, 'bigint'],
  [compiler.TypeFlags.BooleanLike, 'boolean'],
]

function kindOf(type: ts.Type): TypeKind {
  if (choicesOf(type).length > 0) return 'choice'
  return kinds.find(([flags]) => (type.flags & flags) !== 0)?.[1] ?? 'other'
}

/** Return the texts and numbers that a type lists; none when the type has other members, too. */
function choicesOf(type: ts.Type): readonly string[] {
  const parts = type.isUnion() ? type.types : [type]
  const isListed = (each: ts.Type) => each.isStringLiteral() || each.isNumberLiteral()
  return parts.every(isListed)
    ? parts.map((each) => (each.isLiteral() ? String(each.value) : ''))
    : []
}
