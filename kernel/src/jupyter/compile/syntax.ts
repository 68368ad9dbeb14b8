import type { AnyNode, Identifier, Node, Pattern, Program, VariableDeclaration } from 'acorn'

/** What a walk over a cell's JavaScript finds, in addition to scopes. */
export interface SyntaxFacts {
  /** The length of the longest run of `$` at the beginning of an identifier. */
  readonly dollars: number
  /** The values of shorthand properties such as `{ x }`. */
  readonly shorthands: ReadonlySet<unknown>
  /** The callees of calls and the tags of templates. */
  readonly callees: ReadonlySet<unknown>
  /** The identifiers that variable declarations bind. */
  readonly bindings: ReadonlySet<unknown>
  /** Functions and classes that are named after the variable they are assigned to. */
  readonly named: readonly { readonly target: Identifier; readonly value: Node }[]
  /** `var` declarations inside of blocks, outside of functions. */
  readonly nestedVars: readonly VariableDeclaration[]
  /** Declarations in the head of a `for` loop: `each` for `in` and `of`. */
  readonly heads: ReadonlyMap<VariableDeclaration, 'for' | 'each'>
  /** The expressions that the cell awaits or throws outside of functions. */
  readonly awaited: readonly Node[]
  /** The keyword `import` of each `import(…)`, and each `import.meta`. */
  readonly importWords: readonly {
    readonly start: number
    readonly end: number
    readonly helper: 'import' | 'meta'
  }[]
}

/** Walk over the JavaScript of a cell. */
export function readSyntax(program: Program): SyntaxFacts {
  let dollars = 0
  const shorthands = new Set<unknown>()
  const callees = new Set<unknown>()
  const bindings = new Set<unknown>()
  const named: { target: Identifier; value: Node }[] = []
  const nestedVars: VariableDeclaration[] = []
  const heads = new Map<VariableDeclaration, 'for' | 'each'>()
  const awaited: Node[] = []
  const importWords: { start: number; end: number; helper: 'import' | 'meta' }[] = []
  const name = (target: Node, value: Node | null | undefined): void => {
    if (isIdentifier(target) && value != null && isAnonymous(value)) named.push({ target, value })
  }
  const visit = (node: AnyNode, parent: AnyNode | null, isInFunction: boolean): void => {
    switch (node.type) {
      case 'Identifier':
        dollars = Math.max(dollars, countDollars(node.name))
        break
      case 'Property':
        if (node.shorthand)
          shorthands.add(node.value.type === 'AssignmentPattern' ? node.value.left : node.value)
        break
      case 'CallExpression':
        callees.add(node.callee)
        break
      case 'TaggedTemplateExpression':
        callees.add(node.tag)
        break
      case 'ImportExpression':
        importWords.push({ start: node.start, end: node.start + 'import'.length, helper: 'import' })
        break
      case 'MetaProperty':
        if (node.meta.name === 'import')
          importWords.push({ start: node.start, end: node.end, helper: 'meta' })
        break
      case 'AwaitExpression':
      case 'ThrowStatement':
        if (!isInFunction) awaited.push(node.argument)
        break
      case 'AssignmentPattern':
        name(node.left, node.right)
        break
      case 'AssignmentExpression':
        if (/^(?:|\|\||&&|\?\?)=$/u.test(node.operator)) name(node.left, node.right)
        break
      case 'ForStatement':
        if (node.init?.type === 'VariableDeclaration') heads.set(node.init, 'for')
        break
      case 'ForInStatement':
      case 'ForOfStatement':
        if (node.left.type === 'VariableDeclaration') heads.set(node.left, 'each')
        break
      case 'VariableDeclaration':
        for (const { id, init } of node.declarations) {
          for (const each of identifiersOf(id)) bindings.add(each)
          name(id, init)
        }
        if (node.kind === 'var' && !isInFunction && parent?.type !== 'Program')
          if (parent?.type !== 'ExportNamedDeclaration') nestedVars.push(node)
        break
      default:
    }
    const isBelowFunction =
      isInFunction || /Function|^StaticBlock$|^PropertyDefinition$/u.test(node.type)
    for (const child of childrenOf(node)) visit(child, node, isBelowFunction)
  }
  visit(program, null, false)
  return { dollars, shorthands, callees, bindings, named, nestedVars, heads, awaited, importWords }
}

/** Return the identifiers that a pattern binds, in the order of the text. */
export function identifiersOf(pattern: Pattern): Identifier[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern]
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) =>
        identifiersOf(property.type === 'RestElement' ? property.argument : property.value),
      )
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element === null ? [] : identifiersOf(element)))
    case 'AssignmentPattern':
      return identifiersOf(pattern.left)
    case 'RestElement':
      return identifiersOf(pattern.argument)
    case 'MemberExpression':
      return []
  }
}

function isAnonymous(node: Node): boolean {
  if (node.type === 'ArrowFunctionExpression') return true
  return /^(?:Function|Class)Expression$/u.test(node.type) && Reflect.get(node, 'id') === null
}

function isIdentifier(node: Node): node is Identifier {
  return node.type === 'Identifier'
}

function countDollars(name: string): number {
  return /^\$*/u.exec(name)?.[0].length ?? 0
}

/** Return the children of a node, in the order of the text. */
export function* childrenOf(node: AnyNode): Generator<AnyNode> {
  for (const [key, value] of Object.entries(node) as [string, unknown][]) {
    // The key of `{ x }` is the same text as its value.
    if (key === 'key' && node.type === 'Property' && node.shorthand) continue
    if (Array.isArray(value)) yield* value.filter(isNode)
    else if (isNode(value)) yield value
  }
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}
