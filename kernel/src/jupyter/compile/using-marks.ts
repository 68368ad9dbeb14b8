import {
  parse,
  type AnyNode,
  type CallExpression,
  type Node,
  type VariableDeclaration,
} from 'acorn'
import ts from 'typescript'
import { Edits, type Edit } from './edits.ts'
import { childrenOf } from './syntax.ts'

/**
 * The names of functions that mark, in JavaScript, what `using` and `await using` declare.
 *
 * V8 supports `using`, but not decorators or accessors. TypeScript compiles either all of these or none. When it compiles `using`, it moves the declarations of
 * a cell off the top level. So `using x = y` is written as `const x = mark(y)` for TypeScript, and as `using x = (y)` again afterwards.
 */
export interface UsingMarks {
  readonly using: string
  readonly awaitUsing: string
}

/** Choose names that are no words of the cell. */
export function createMarks(words: ReadonlySet<string>): UsingMarks {
  let end = '__'
  while (words.has(`__using${end}`) || words.has(`__awaitUsing${end}`)) end += '_'
  return { using: `__using${end}`, awaitUsing: `__awaitUsing${end}` }
}

/** Create the transformation that marks what `using` declares. */
export function markUsing(marks: UsingMarks): ts.TransformerFactory<ts.SourceFile> {
  return (context) => {
    const { factory } = context
    const call = (mark: string, value: ts.Expression): ts.CallExpression =>
      factory.createCallExpression(factory.createIdentifier(mark), undefined, [value])
    const markOf = (node: ts.Node): string | null => {
      if (!ts.isVariableDeclarationList(node)) return null
      // `await using` has the flag of `using` and another one.
      const isOf = (flag: number): boolean => (node.flags & flag) === flag
      if (isOf(ts.NodeFlags.AwaitUsing)) return marks.awaitUsing
      return isOf(ts.NodeFlags.Using) ? marks.using : null
    }
    const visit = (node: ts.Node): ts.Node => {
      if (ts.isForOfStatement(node)) {
        const mark = markOf(node.initializer)
        if (mark === null) return ts.visitEachChild(node, visit, context)
        const { awaitModifier, initializer, expression, statement } = node
        return factory.updateForOfStatement(
          node,
          awaitModifier,
          constOf(initializer as ts.VariableDeclarationList, (each) => each),
          call(mark, ts.visitNode(expression, visit, ts.isExpression)),
          ts.visitNode(statement, visit, ts.isStatement),
        )
      }
      const mark = markOf(node)
      if (mark === null) return ts.visitEachChild(node, visit, context)
      return constOf(node as ts.VariableDeclarationList, (value) =>
        call(mark, ts.visitNode(value, visit, ts.isExpression)),
      )
    }
    const constOf = (
      list: ts.VariableDeclarationList,
      wrap: (value: ts.Expression) => ts.Expression,
    ): ts.VariableDeclarationList => {
      const declarations = list.declarations.map((each) => {
        const value = each.initializer === undefined ? undefined : wrap(each.initializer)
        return factory.updateVariableDeclaration(each, each.name, undefined, undefined, value)
      })
      return ts.setTextRange(
        factory.createVariableDeclarationList(declarations, ts.NodeFlags.Const),
        list,
      )
    }
    return (file) => ts.visitEachChild(file, visit, context)
  }
}

/** Find the edits that restore `using` where it was marked. */
export function unmarkUsing(js: string, marks: UsingMarks): readonly Edit[] {
  const edits = new Edits(js)
  const visit = (node: AnyNode): void => {
    if (node.type === 'VariableDeclaration')
      restore(
        node,
        node.declarations.map(({ init }) => init),
      )
    if (node.type === 'ForOfStatement' && node.left.type === 'VariableDeclaration')
      restore(node.left, [node.right])
    for (const child of childrenOf(node)) visit(child)
  }
  const restore = (
    node: VariableDeclaration,
    values: readonly (Node | null | undefined)[],
  ): void => {
    const calls = values.flatMap((value) => maybeMarked(value, marks) ?? [])
    const [first] = calls
    if (first === undefined) return
    const word = nameOf(first) === marks.using ? 'using' : 'await using'
    edits.replace(node.start, node.start + node.kind.length, word)
    for (const { callee } of calls) edits.remove(callee.start, callee.end)
  }
  visit(parse(js, { ecmaVersion: 'latest', sourceType: 'module' }))
  return edits.sorted()
}

function maybeMarked(value: Node | null | undefined, marks: UsingMarks): CallExpression | null {
  if (value?.type !== 'CallExpression') return null
  const call = value as CallExpression
  const name = nameOf(call)
  return name === marks.using || name === marks.awaitUsing ? call : null
}

function nameOf({ callee }: CallExpression): string | null {
  return callee.type === 'Identifier' ? callee.name : null
}
