import ts from 'typescript'
import { applyEdits, Edits } from './edits.ts'
import { eraseTypes, hasSyntaxErrors } from './erase-types.ts'
import { blankRanges, findRepeatedRows, largeLength, type Range } from './repeated-rows.ts'

/** What a top-level name of a cell is for later cells. */
export interface Declared {
  /**
   * `variable`: later cells may assign to it. `constant`: only a value, such as a function. `both`: a value and a type, such as a class, or an import that may
   * be one. `type`: only a type. `ambient`: a value that the cell declares with `declare`, and that no cell creates.
   */
  readonly kind: 'variable' | 'constant' | 'both' | 'type' | 'ambient'
  readonly isImport: boolean
}

/** The text of a cell, parsed on its own. */
export interface CellText {
  /** The text for TypeScript, with blanks in place of {@link repeated}. */
  readonly source: string
  /** The rows of large tables that do not change the type, see {@link findRepeatedRows}. */
  readonly repeated: readonly Range[]
  readonly declared: ReadonlyMap<string, Declared>
  /** Names that the cell itself exports under the same name. */
  readonly exported: ReadonlySet<string>
  /** Whether it ends with an expression. */
  readonly hasResult: boolean
  /** Every word in it: at least all identifiers. */
  readonly words: ReadonlySet<string>
  /** Names that it declares by `declare global`. */
  readonly globals: ReadonlySet<string>
  /** The whole text with blanks in place of exports, because a cell does not run as a module. */
  readonly withoutExports: string
  /** {@link withoutExports} with blanks in place of types and of {@link repeated}; null when the cell has more of TypeScript than types. */
  readonly javaScript: string | null
  /** The text with blanks in place of `declare global { … }`. */
  readonly withoutGlobals: string
  /** Why this kernel cannot run the text, and its line, 1-based; null when it can. */
  readonly refusal: { readonly line: number; readonly message: string } | null
}

/** Makes the text a module, so that `await` is a keyword. */
const moduleMark = '\nexport {}'

/** Parse the text of a cell. `cursor` is an offset that is asked about. */
export function readCell(written: string, cursor = -1): CellText {
  // The kernel puts a line before the text, so a first line that begins with `#!` would be a syntax error. A comment has the same effect.
  const whole = written.replace(/^(\uFEFF?)#!/u, '$1//')
  const repeated = whole.length < largeLength ? [] : repeatedRowsOf(whole, cursor)
  const source = blankRanges(whole, repeated)
  const file = parseModule(source)
  const statements = file.statements.filter((each) => each.getStart() < source.length)
  const reader = new CellReader(source)
  for (const statement of statements) reader.read(statement)
  const last = statements.at(-1)
  const edits = reader.edits.sorted()
  const withoutExports = applyEdits(whole, edits)
  const erased = withoutExports.length === source.length ? eraseTypes(file) : null
  return {
    source,
    repeated,
    declared: reader.declared,
    exported: reader.exported,
    hasResult: last !== undefined && ts.isExpressionStatement(last),
    words: wordsOf(source),
    globals: reader.globals,
    withoutExports,
    javaScript: erased === null ? null : applyEdits(erased.slice(0, source.length), edits),
    withoutGlobals: blankGlobals(source, statements),
    refusal: refuseForeign(source),
  }
}

function parseModule(source: string): ts.SourceFile {
  return ts.createSourceFile('cell.ts', source + moduleMark, ts.ScriptTarget.Latest, true)
}

/** Find the repeated rows of a large text. A text with a syntax error has none, because the error may be in one of them. */
function repeatedRowsOf(whole: string, cursor: number): readonly Range[] {
  const file = parseModule(whole)
  return hasSyntaxErrors(file) ? [] : findRepeatedRows(file, cursor)
}

/** Return every word of a text, with and without escapes: `\u0061bc` is the identifier `abc`. */
function wordsOf(source: string): ReadonlySet<string> {
  const isEscaped = source.includes('\\u')
  const unescaped = isEscaped
    ? source.replace(/\\u(?:([\da-f]{4})|\{([\da-f]+)\})/giu, unescape)
    : ''
  const texts = isEscaped ? [source, unescaped] : [source]
  const words = texts.flatMap((text) => text.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu) ?? [])
  return new Set(words)
}

function unescape(escape: string, four: string | undefined, more: string | undefined): string {
  const code = Number.parseInt(four ?? more ?? '', 16)
  return code > 0x10ffff ? escape : String.fromCodePoint(code)
}

function blankGlobals(source: string, statements: readonly ts.Statement[]): string {
  const edits = new Edits(source)
  for (const each of statements)
    if (ts.isModuleDeclaration(each) && !ts.isIdentifier(each.name))
      edits.remove(each.getStart(), each.end)
    else if ((each.flags & ts.NodeFlags.GlobalAugmentation) !== 0)
      edits.remove(each.getStart(), each.end)
  return edits.apply()
}

/** Refuse what only other kernels support: IPython's magics, and tslab's cells that are modules. */
function refuseForeign(source: string): CellText['refusal'] {
  const [, before = '', magic, module] =
    /^(\s*)(?:(%{1,2}[a-z]\w*)|\/\*\*\s*@module\s+([\w.]+))/u.exec(source) ?? []
  const line = before.split('\n').length
  if (magic !== undefined)
    return {
      line,
      message: `${magic} is a magic of IPython, which this kernel does not have: cells are TypeScript`,
    }
  if (module === undefined) return null
  return {
    line,
    message: `cells with @module are tslab's; write a file ${module}.ts beside the notebook instead, which is loaded again when it changes`,
  }
}

class CellReader {
  readonly declared = new Map<string, Declared>()
  readonly exported = new Set<string>()
  readonly globals = new Set<string>()
  readonly edits: Edits
  readonly #source: string

  constructor(source: string) {
    this.#source = source
    this.edits = new Edits(source)
  }

  read(statement: ts.Statement): void {
    const modifiers = ts.canHaveModifiers(statement) ? (statement.modifiers ?? []) : []
    const has = (kind: ts.SyntaxKind): boolean => modifiers.some((each) => each.kind === kind)
    const before = new Set(this.declared.keys())
    this.#declare(statement, has(ts.SyntaxKind.DeclareKeyword))
    this.#findVars(statement)
    const [first] = modifiers.filter(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
    if (first !== undefined) this.#dropExport(statement, first, has(ts.SyntaxKind.DefaultKeyword))
    if (first !== undefined && !has(ts.SyntaxKind.DefaultKeyword))
      for (const name of this.#namesOf(statement, before)) this.exported.add(name)
    if (ts.isExportAssignment(statement)) this.#evaluate(statement, statement.expression.getStart())
    if (ts.isExportDeclaration(statement) && statement.moduleSpecifier === undefined) {
      this.#blankFrom(statement, statement.end)
      if (statement.exportClause !== undefined && ts.isNamedExports(statement.exportClause))
        for (const { name } of statement.exportClause.elements) this.exported.add(name.text)
    }
  }

  #namesOf(statement: ts.Statement, before: ReadonlySet<string>): string[] {
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.flatMap(({ name }) => namesOf(name))
    const { name } = statement as { name?: ts.Node }
    return name !== undefined && ts.isIdentifier(name)
      ? [name.text]
      : [...this.declared.keys()].filter((each) => !before.has(each))
  }

  #declare(statement: ts.Statement, isAmbient: boolean): void {
    const add = (
      name: ts.Identifier | undefined,
      kind: Declared['kind'],
      isImport = false,
    ): void => {
      if (name !== undefined) this.#add(name.text, kind, isImport)
    }
    if (ts.isVariableStatement(statement)) {
      const isConstant = (statement.declarationList.flags & ts.NodeFlags.Constant) !== 0
      const kind = isAmbient ? 'ambient' : isConstant ? 'constant' : 'variable'
      for (const { name } of statement.declarationList.declarations)
        for (const each of namesOf(name)) this.#add(each, kind)
    } else if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement))
      add(statement.name, 'type')
    else if (ts.isFunctionDeclaration(statement))
      add(statement.name, isAmbient ? 'ambient' : 'constant')
    else if (ts.isClassDeclaration(statement) || ts.isEnumDeclaration(statement))
      add(statement.name, isAmbient ? 'ambient' : 'both')
    else if (ts.isModuleDeclaration(statement)) this.#declareModule(statement, isAmbient)
    else if (ts.isImportEqualsDeclaration(statement))
      add(statement.name, statement.isTypeOnly ? 'type' : 'both', true)
    else if (ts.isImportDeclaration(statement) && statement.importClause !== undefined) {
      const { importClause } = statement
      const kind = importClause.phaseModifier === ts.SyntaxKind.TypeKeyword ? 'type' : 'both'
      add(importClause.name, kind, true)
      const bindings = importClause.namedBindings
      if (bindings === undefined) return
      if (ts.isNamespaceImport(bindings)) add(bindings.name, kind, true)
      else
        for (const each of bindings.elements) add(each.name, each.isTypeOnly ? 'type' : kind, true)
    }
  }

  #declareModule(statement: ts.ModuleDeclaration, isAmbient: boolean): void {
    if ((statement.flags & ts.NodeFlags.GlobalAugmentation) !== 0) {
      if (statement.body !== undefined && ts.isModuleBlock(statement.body))
        for (const each of statement.body.statements)
          for (const name of this.#globalsOf(each)) this.globals.add(name)
    } else if (ts.isIdentifier(statement.name))
      this.#add(statement.name.text, isAmbient ? 'ambient' : 'both')
    else this.globals.add(`module ${statement.name.text}`)
  }

  #globalsOf(statement: ts.Statement): string[] {
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.flatMap(({ name }) => namesOf(name))
    const { name } = statement as { name?: ts.Node }
    return name !== undefined && ts.isIdentifier(name) ? [name.text] : []
  }

  /** A cell may declare a name both as a value and as a type. */
  #add(name: string, kind: Declared['kind'], isImport = false): void {
    const before = this.declared.get(name)?.kind ?? kind
    const isBoth =
      before !== kind &&
      (before === 'type' || kind === 'type') &&
      ![before, kind].includes('ambient')
    const isVariable = [before, kind].includes('variable')
    this.declared.set(name, { kind: isVariable ? 'variable' : isBoth ? 'both' : before, isImport })
  }

  /** A `var` anywhere outside of functions belongs to the top level. */
  #findVars(node: ts.Node): void {
    if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node)) return
    if (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.BlockScoped) === 0) {
      const isAmbient =
        ts.isVariableStatement(node.parent) &&
        (node.parent.modifiers ?? []).some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword)
      if (!isAmbient)
        for (const { name } of node.declarations)
          for (const each of namesOf(name)) this.#add(each, 'variable')
    }
    ts.forEachChild(node, (child) => this.#findVars(child))
  }

  #dropExport(
    statement: ts.Statement,
    keyword: ts.Modifier | ts.ModifierLike,
    isDefault: boolean,
  ): void {
    const isNameless =
      (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) &&
      statement.name === undefined
    const end = isDefault ? this.#afterDefault(keyword.end) : keyword.end
    if (isDefault && isNameless) this.#evaluate(statement, end)
    else if (keyword.getStart() === statement.getStart()) this.#blankFrom(statement, end)
    else this.#blank(keyword.getStart(), end)
  }

  #afterDefault(end: number): number {
    const found = /^\s*default/u.exec(this.#source.slice(end))
    return end + (found?.[0].length ?? 0)
  }

  /** The expression of a default export is evaluated, and its value dropped. */
  #evaluate(statement: ts.Statement, start: number): void {
    const keyword = statement.getStart()
    const blank = this.#source.slice(keyword, start).replace(/[^\n]/gu, ' ')
    this.edits.replace(keyword, start, `void (${blank.slice('void ('.length)}`)
    const isEnded = this.#source[statement.end - 1] === ';'
    this.edits.insertAfter(isEnded ? statement.end - 1 : statement.end, ')')
  }

  /** Blank a statement up to an offset. A semicolon ends the statement before it: without it, `(` after `const a = b` and a blank line would be a call. */
  #blankFrom(statement: ts.Statement, end: number): void {
    const start = statement.getStart()
    this.edits.replace(start, start + 1, ';')
    this.#blank(start + 1, end)
  }

  #blank(start: number, end: number): void {
    this.edits.replace(start, end, this.#source.slice(start, end).replace(/[^\n]/gu, ' '))
  }
}

function namesOf(name: ts.BindingName): string[] {
  return identifiersOf(name).map(({ text }) => text)
}

/** Return the identifiers that a name or a pattern declares. */
export function identifiersOf(name: ts.BindingName): ts.Identifier[] {
  if (ts.isIdentifier(name)) return [name]
  return name.elements.flatMap((element) =>
    ts.isOmittedExpression(element) ? [] : identifiersOf(element.name),
  )
}
