import type * as TypeScript from '@tslab/typescript-for-tslab'

/** What tslab calls the file with the declarations of earlier cells. */
const earlierCells = '/__prev__.d.ts'

/**
 * Write `{ nodes }` as `{ nodes: exports.nodes }` where `nodes` is a variable of an earlier cell. tslab does so with every other use of such a
 * variable, but takes this one for the name of a property, and the cell fails with "nodes is not defined".
 */
export function expandShorthands(
  ts: typeof TypeScript,
  checker: TypeScript.TypeChecker,
): TypeScript.TransformerFactory<TypeScript.SourceFile> {
  const { factory } = ts
  const isEarlier = (node: TypeScript.ShorthandPropertyAssignment): boolean =>
    checker
      .getShorthandAssignmentValueSymbol(node)
      ?.declarations?.some((each) => each.getSourceFile().fileName.endsWith(earlierCells)) ?? false
  return (context) => {
    const visit = (node: TypeScript.Node): TypeScript.Node => {
      if (!ts.isShorthandPropertyAssignment(node) || !isEarlier(node))
        return ts.visitEachChild(node, visit, context)
      const { name, objectAssignmentInitializer: otherwise } = node
      const value = factory.createPropertyAccessExpression(
        factory.createIdentifier('exports'),
        name.text,
      )
      // In `({ nodes = [] } = found)` it has a default.
      const whole =
        otherwise === undefined
          ? value
          : factory.createAssignment(value, ts.visitNode(otherwise, visit, ts.isExpression))
      const property = factory.createPropertyAssignment(name.text, whole)
      return ts.setOriginalNode(ts.setTextRange(property, node), node)
    }
    return (file) => ts.visitEachChild(file, visit, context)
  }
}
