import { blankSourceFile } from 'ts-blank-space'
import ts from 'typescript'

/** The words of members that could mean something else without their types, see {@link mergesMembers}. */
const memberWords = /\b(?:abstract|get|set|static)\b|\[[\w$]+\s*:/u
/** As the name of a property, such a word would be taken for a modifier of the next member. */
const modifiers: ReadonlySet<string> = new Set(['get', 'set', 'static'])

/**
 * Return the text of a file with blanks in place of its types. Null when it has syntax errors, when more than types has to be compiled, such as an enum or a
 * parameter property, or when blanks would change what a member of a class is.
 */
export function eraseTypes(file: ts.SourceFile): string | null {
  if (hasSyntaxErrors(file)) return null
  if (memberWords.test(file.text) && mergesMembers(file, file)) return null
  const others: ts.Node[] = []
  const text = blankSourceFile(file, (node) => others.push(node))
  return others.length === 0 ? text : null
}

/** Tell whether the parser has found an error in a file. */
export function hasSyntaxErrors(file: ts.SourceFile): boolean {
  const errors: unknown = Reflect.get(file, 'parseDiagnostics')
  return !Array.isArray(errors) || errors.length > 0
}

/**
 * Tell whether two members of a class in a node would become one if their types were blanks. Without its type and without a semicolon, a property called `get`
 * turns the method after it into a getter. A member that is only a type may be all that separates a value from the computed name of the next member.
 */
function mergesMembers(node: ts.Node, file: ts.SourceFile): boolean {
  const isOpen = (member: ts.Node | undefined): boolean =>
    member !== undefined && ts.isPropertyDeclaration(member) && file.text[member.end - 1] !== ';'
  const merges = (member: ts.ClassElement, index: number, all: readonly ts.Node[]): boolean => {
    if (ts.isPropertyDeclaration(member))
      return (
        isOpen(member) &&
        member.initializer === undefined &&
        modifiers.has(member.name.getText(file))
      )
    const hasBody = 'body' in member && member.body !== undefined
    return !hasBody && isOpen(all[index - 1])
  }
  if (ts.isClassLike(node) && node.members.some(merges)) return true
  return ts.forEachChild(node, (child) => mergesMembers(child, file)) ?? false
}
