import ts from 'typescript'

const advice = 'Braces at the beginning of a statement are a block, not an object. Write ({ … })'

/** Return a notice when the last statement of a cell was probably meant as an object, which the cell would show: `{ rtt: 1 }` is a block with a label. */
export function findUnmeantBlock(file: ts.SourceFile): string | null {
  // The kernel has added the last statement of the file.
  const last = file.statements.at(-2)
  if (last === undefined || !ts.isBlock(last) || last.statements.length === 0) return null
  const isUnmeant = last.statements.every(
    (each) => ts.isLabeledStatement(each) && ts.isExpressionStatement(each.statement),
  )
  return isUnmeant ? `${advice} to see the object.` : null
}

/** Give advice for a syntax error in an object at the beginning of a statement; null when the offset is not in one. */
export function adviceForObject(file: ts.SourceFile, offset: number): string | null {
  const block = file.statements.find((each) => each.getStart(file) <= offset && offset <= each.end)
  if (block === undefined || !ts.isBlock(block)) return null
  const [first] = block.statements
  if (first === undefined) return null
  const isLabel = ts.isLabeledStatement(first)
  const isName = ts.isExpressionStatement(first) && ts.isStringLiteral(first.expression)
  return isLabel || isName ? `${advice} for an object.` : null
}
