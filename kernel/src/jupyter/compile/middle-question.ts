import ts from 'typescript'

const question =
  /^\s*(?:\?{1,2}\s*[\p{ID_Start}$_][\p{ID_Continue}$.]*|[\p{ID_Start}$_][\p{ID_Continue}$.]*\?{1,2})\s*$/u

/**
 * Give advice for a syntax error that a question such as `Plot?` causes above the last line of a cell. There it is the beginning of `a ? b : c`. Null when there
 * is no such question.
 */
export function adviceForQuestion(file: ts.SourceFile, errorAt: number): string | null {
  const lines = file.text.split('\n')
  const lineAt = (offset: number): string =>
    lines[ts.getLineAndCharacterOfPosition(file, offset).line]?.trim() ?? ''
  const texts = [errorAt, ...questionMarks(file)].map(lineAt)
  const found = texts.find((text) => question.test(text))
  if (found === undefined) return null
  return `\`${found}\` explains a name on the last line of a cell only. Write it in a cell of its own.`
}

/** Return the offsets of the question marks that have no colon. */
function questionMarks(file: ts.SourceFile): number[] {
  const found: number[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isConditionalExpression(node) && node.colonToken.getWidth(file) === 0)
      found.push(node.questionToken.getStart(file))
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}
