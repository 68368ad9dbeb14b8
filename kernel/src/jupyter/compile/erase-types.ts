import { blankSourceFile } from 'ts-blank-space'
import type ts from 'typescript'

/**
 * Return the text of a file with blanks in place of its types. Null when it has syntax errors, or when more than types has to be compiled, such as an enum or a
 * parameter property.
 */
export function eraseTypes(file: ts.SourceFile): string | null {
  const errors: unknown = Reflect.get(file, 'parseDiagnostics')
  if (!Array.isArray(errors) || errors.length > 0) return null
  const others: ts.Node[] = []
  const text = blankSourceFile(file, (node) => others.push(node))
  return others.length === 0 ? text : null
}
