import ts from 'typescript'

/** Return the smallest node at an offset. */
export function nodeAt(node: ts.Node, at: number): ts.Node {
  const child = ts.forEachChild(node, (each) =>
    each.getStart() <= at && at < each.end ? each : undefined,
  )
  return child === undefined ? node : nodeAt(child, at)
}
