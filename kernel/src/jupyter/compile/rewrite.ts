import { parse, type Identifier, type Program, type VariableDeclaration } from 'acorn'
import { analyze, type Reference, type Variable } from 'eslint-scope'
import { applyEdits, Edits, type Edit } from './edits.ts'
import { isImport, readImport, type FoundImport } from './found-import.ts'
import { identifiersOf, readSyntax, type SyntaxFacts } from './syntax.ts'

/** Options of {@link rewriteCell}. */
export interface RewriteOptions {
  /** Values that the cell declares at its top level. Other top-level variables were added by TypeScript and stay local. */
  readonly declared: ReadonlySet<string>
  /** The names of values that earlier cells declare. */
  readonly known: Pick<ReadonlySet<string>, 'has'>
  /** Imported names that are only types. */
  readonly types: ReadonlySet<string>
  /** Whether the cell ends with an expression, whose value is the result. */
  readonly hasResult: boolean
  /** The text to rewrite if the given one has blanks in place of some of its literals. */
  readonly whole?: string
}

/** A cell as a function that takes boxes: each top-level variable is the property `v` of its box. */
export interface Rewritten {
  readonly code: string
  /** The name of the helper. Every name that the rewriting adds begins with it. */
  readonly prefix: string
  /** The variables whose boxes are parameters, after the helper and {@link moduleWords}. */
  readonly boxes: readonly string[]
  readonly imports: readonly FoundImport[]
  /** For each variable that the cell declares: after which of the cell's imports and declarations it has its value; 0: from the start. */
  readonly reached: ReadonlyMap<string, number>
  /** The offsets of what the cell awaits or throws outside of functions. The helper's `at` gets the index in this list. */
  readonly awaited: readonly number[]
  /**
   * The offsets of the statements that may throw. The helper's `s` is the index of the one that runs. Its `hold` takes the index of a statement with `using`, and
   * the value that is disposed of.
   */
  readonly statements: readonly number[]
  readonly edits: readonly Edit[]
}

/** The names that cells have of a CommonJS module, in the order of the function's parameters. */
export const moduleWords = ['require', 'module', 'exports', '__dirname', '__filename'] as const

/** The number of lines that the rewriting puts before the text. */
export const linesBefore = 1

/**
 * Rewrite the JavaScript of a cell into a function that takes boxes. Lines are kept; columns move.
 *
 * `let total = 0; const f = () => total` becomes `$total.v = 0; $.n = 1; $f.v = { ["f"]: () => $total.v }["f"]; $.n = 2;`. The object literal gives the
 * function its name. `$.n` counts the imports and declarations that are completed.
 */
export function rewriteCell(js: string, options: RewriteOptions): Rewritten {
  const program = parseCell(js)
  const rewriter = new Rewriter(js, program, options)
  return rewriter.rewrite()
}

/** Thrown when the JavaScript of a cell has a syntax error that TypeScript does not find. */
export class ParseError extends Error {
  /** The offset of the error in the JavaScript. */
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

function parseCell(js: string): Program {
  try {
    return parse(js, { ecmaVersion: 'latest', sourceType: 'module', ranges: true })
  } catch (error) {
    if (!(error instanceof SyntaxError) || !('pos' in error)) throw error
    const isInCase = error.message.startsWith('Using declaration') && error.message.includes('case')
    const message = isInCase
      ? '`using` cannot stand directly in a case. Put what belongs to the case into braces: case 1: { using … }'
      : error.message.replace(/ \(\d+:\d+\)$/u, '.')
    throw new ParseError(message, Number(error.pos))
  }
}

class Rewriter {
  readonly #options: RewriteOptions
  readonly #whole: string
  readonly #program: Program
  readonly #facts: SyntaxFacts
  readonly #edits: Edits
  readonly #prefix: string
  readonly #own: ReadonlyMap<string, Variable>
  /** The references and declarations that are replaced by those of boxes. */
  readonly #boxed: ReadonlySet<Identifier>
  readonly #disposed: ReadonlySet<Identifier>
  readonly #used: Set<string>
  readonly #imports: FoundImport[] = []
  readonly #reached = new Map<string, number>()
  /** Variables that were declared so far. */
  readonly #begun = new Set<string>()
  /** Statements at the beginning of the function. */
  readonly #head: string[] = []
  /** The offsets of the statements that may throw. */
  readonly #mayThrow: number[] = []
  /** The number of imports and declarations found so far. */
  #statements = 0

  constructor(js: string, program: Program, options: RewriteOptions) {
    this.#options = options
    this.#whole = options.whole ?? js
    this.#program = program
    this.#facts = readSyntax(program)
    this.#edits = new Edits(js)
    this.#prefix = '$'.repeat(this.#facts.dollars + 1)
    const scopes = analyze(program as Parameters<typeof analyze>[0], {
      ecmaVersion: 2024,
      sourceType: 'module',
      // Code that `eval` runs does not see the notebook's variables. So `eval` does not change what the cell's own references mean.
      ignoreEval: true,
    })
    const scope = scopes.globalScope?.childScopes[0]
    const own = (scope?.variables ?? []).filter(({ name }) => options.declared.has(name))
    this.#own = new Map(own.map((variable) => [variable.name, variable]))
    this.#used = new Set(this.#own.keys())
    this.#boxed = this.#findBoxed(scope?.through ?? [])
    this.#disposed = findDisposed(program)
  }

  rewrite(): Rewritten {
    for (const { target, value } of this.#facts.named) this.#keepName(target, value)
    for (const identifier of this.#boxed) this.#rewriteName(identifier)
    for (const { start, end, helper } of this.#facts.importWords)
      this.#edits.replace(start, end, `${this.#prefix}.${helper}`)
    for (const [index, node] of this.#facts.awaited.entries())
      this.#edits.wrap(node, `${this.#prefix}.at(${index}, (`, '))')
    this.#rewriteStatements()
    const boxes = [...this.#used]
    const loads = this.#imports.map((_, index) => `await ${this.#prefix}.load(${index});`)
    const parameters = [this.#prefix, ...moduleWords, ...boxes.map((name) => this.#prefix + name)]
    const head = [
      `(async function (${parameters.join(', ')}) { 'use strict';`,
      ...this.#head,
      ...loads,
    ]
    const edits = this.#edits.sorted()
    return {
      // What `using` declares is disposed of after all statements.
      code: `${head.join(' ')}\n${applyEdits(this.#whole, edits)}\n; ${this.#prefix}.s = -1 })`,
      prefix: this.#prefix,
      boxes,
      imports: this.#imports,
      reached: this.#reached,
      awaited: this.#facts.awaited.map(({ start }) => start),
      statements: this.#mayThrow,
      edits,
    }
  }

  #box(name: string): string {
    return `${this.#prefix}${name}.v`
  }

  /** Name a function after its variable. JavaScript does not name it when it is assigned to a property of a box. */
  #keepName(target: Identifier, value: { readonly start: number; readonly end: number }): void {
    if (!this.#boxed.has(target) || this.#disposed.has(target)) return
    this.#edits.wrap(value, `{ ["${target.name}"]: `, ` }["${target.name}"]`)
  }

  #findBoxed(outer: readonly Reference[]): Set<Identifier> {
    const found = new Set<Identifier>()
    // Acorn and eslint-scope use the same nodes but declare different types for them.
    const add = (identifier: unknown): void => void found.add(identifier as Identifier)
    for (const variable of this.#own.values()) {
      for (const { identifier } of variable.references) add(identifier)
      for (const identifier of variable.identifiers)
        if (this.#facts.bindings.has(identifier)) add(identifier)
    }
    for (const { identifier } of outer) {
      if (this.#own.has(identifier.name) || !this.#options.known.has(identifier.name)) continue
      this.#used.add(identifier.name)
      add(identifier)
    }
    return found
  }

  #rewriteName(identifier: Identifier): void {
    const { name, start, end } = identifier
    const box = this.#box(name)
    if (this.#disposed.has(identifier)) return
    if (this.#facts.shorthands.has(identifier))
      // `__proto__: x` would set the prototype.
      this.#edits.replace(start, end, `${name === '__proto__' ? '["__proto__"]' : name}: ${box}`)
    else if (this.#facts.callees.has(identifier))
      // Without `0,` the function would be called as a method of the box.
      this.#edits.replaceCallee(start, end, `(0, ${box})`)
    else this.#edits.replace(start, end, box)
  }

  #rewriteStatements(): void {
    const results = this.#program.body.filter((node) => node.type === 'ExpressionStatement')
    const result = this.#options.hasResult ? results.at(-1) : undefined
    this.#rewriteImports()
    for (const node of this.#program.body) {
      const nested = this.#facts.nestedVars.filter(
        ({ start, end }) => node.start <= start && end <= node.end,
      )
      if (!isImport(node) && node.type !== 'FunctionDeclaration') this.#noteStatement(node.start)
      if (nested.length > 0) this.#declareNested(node, nested)
      switch (node.type) {
        case 'VariableDeclaration':
          this.#declare(node)
          break
        case 'FunctionDeclaration':
          if (!this.#own.has(node.id.name)) break
          this.#head.push(`${this.#box(node.id.name)} = ${node.id.name};`)
          this.#reached.set(node.id.name, 0)
          break
        case 'ClassDeclaration':
          if (!this.#own.has(node.id.name)) break
          this.#edits.insertBefore(node.start, `${this.#box(node.id.name)} = `)
          this.#reach(node.end, [node.id.name])
          break
        case 'ExpressionStatement':
          if (node === result) this.#edits.wrap(node.expression, `${this.#prefix}.r = (`, ')')
          break
        default:
      }
    }
  }

  #noteStatement(start: number): void {
    this.#edits.insertBefore(start, `${this.#prefix}.s = ${this.#mayThrow.length}; `)
    this.#mayThrow.push(start)
  }

  /** Load imports before any other statement, as modules do. */
  #rewriteImports(): void {
    for (const node of this.#program.body) {
      if (!isImport(node)) continue
      const found = readImport(node, this.#options.types)
      if (found !== null) this.#load(found)
      this.#edits.remove(node.start, node.end)
    }
  }

  #load(found: FoundImport): void {
    this.#imports.push(found)
    this.#statements += 1
    for (const [, name] of found.names) this.#reached.set(name, this.#statements)
  }

  /**
   * Turn a declaration into assignments. A statement has either only boxed variables or none, because TypeScript declares the variables that it adds in
   * separate statements.
   */
  #declare(node: VariableDeclaration): void {
    const names = this.#boxedNames(node)
    if (names.length === 0) return
    if (node.kind.endsWith('using')) this.#keepDisposed(node)
    else {
      this.#assign(node)
      for (const { id, end } of node.declarations.slice(0, -1))
        this.#reach(
          end,
          identifiersOf(id).map(({ name }) => name),
          ', ',
        )
    }
    this.#reach(node.end, names)
  }

  #boxedNames({ declarations }: VariableDeclaration): string[] {
    const names = declarations.flatMap(({ id }) => identifiersOf(id).map(({ name }) => name))
    return names.filter((name) => this.#own.has(name))
  }

  #keepDisposed(node: VariableDeclaration): void {
    for (const { id, init } of node.declarations) {
      if (id.type !== 'Identifier' || init == null) continue
      // No box has such a name, because no variable begins with a digit.
      this.#edits.replace(id.start, id.end, `${this.#prefix}0${id.name}`)
      const statement = this.#mayThrow.length - 1
      const isAsync = node.kind === 'await using'
      const held = `${this.#prefix}.hold(${statement}, ${isAsync}, ${this.#box(id.name)} = (`
      this.#edits.wrap(init, held, '))')
    }
  }

  #assign(node: VariableDeclaration): void {
    const place = this.#facts.heads.get(node)
    const [first] = node.declarations
    if (first !== undefined) this.#edits.remove(node.start, first.start)
    for (const declarator of node.declarations) {
      const { id, init } = declarator
      if (id.type !== 'Identifier') {
        if (place !== 'each') this.#edits.wrap(declarator, '(', ')')
      } else if (init == null && place !== 'each' && !this.#begun.has(id.name)) {
        // When the cell runs again, the variable must lose its old value. But a second `var x` in the same cell keeps the value.
        this.#edits.insertAfter(declarator.end, ' = void 0')
      }
      for (const { name } of identifiersOf(id)) this.#begun.add(name)
    }
  }

  /** A `var` in a block or in the head of a loop belongs to the top level. It is undefined until the block runs. */
  #declareNested(
    statement: { readonly start: number; readonly end: number },
    nested: readonly VariableDeclaration[],
  ): void {
    const names = new Set(nested.flatMap((node) => this.#boxedNames(node)))
    const fresh = [...names].filter((name) => !this.#begun.has(name) && !this.#reached.has(name))
    if (fresh.length > 0) {
      this.#statements += 1
      for (const name of fresh) this.#reached.set(name, this.#statements)
      const begin = fresh.map((name) => `${this.#box(name)} = void 0; `).join('')
      this.#edits.insertBefore(statement.start, `${begin}${this.#prefix}.n = ${this.#statements}; `)
    }
    for (const name of names) this.#begun.add(name)
    for (const node of nested) if (this.#boxedNames(node).length > 0) this.#assign(node)
  }

  /** Count a declaration that ends at an offset: by a statement, or by an expression after `, `. */
  #reach(end: number, names: readonly string[], separator: '; ' | ', ' = '; '): void {
    this.#statements += 1
    for (const name of names)
      if (!this.#reached.has(name)) this.#reached.set(name, this.#statements)
    const count = `${separator}${this.#prefix}.n = ${this.#statements}`
    this.#edits.insertAfter(end, separator === '; ' ? `${count};` : count)
  }
}

/** A variable that `using` declares stays local, and V8 disposes of its value at the end of the cell. Its box has the same value. */
function findDisposed({ body }: Program): Set<Identifier> {
  return new Set(
    body.flatMap((node) =>
      node.type === 'VariableDeclaration' && node.kind.endsWith('using')
        ? node.declarations.flatMap(({ id }) => identifiersOf(id))
        : [],
    ),
  )
}
