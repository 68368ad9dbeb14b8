import ts from 'typescript'
import type { CellFiles } from './cell-files.ts'
import { identifiersOf } from './cell-text.ts'
import { Edits } from './edits.ts'

/** What the module of a cell exports, as declarations without bodies. */
export interface Declarations {
  /** The text of a declaration file. It names the modules of other cells by their slots. */
  readonly text: string
  /** The slots of the other cells that it refers to. */
  readonly slots: ReadonlySet<number>
}

/** An import from a relative path, which a declaration of a module must not have. Source: TypeScript, error 2439. */
const relativeImport = /(?:\bfrom|\brequire\()\s*["']\.{1,2}\//u
/** A reference to a library, which belongs to the head of a file. The program has these libraries anyway. */
const head = /^\/\/\/.*\n/gmu

/** A module of more characters keeps its file. Writing the types of large values takes as long as checking them. */
const maxLength = 20_000
/** A documentation comment that is not at the beginning of its line. TypeScript does not write it into declarations. */
const innerComment = /\S[^\S\n]*\/\*\*/u
/** Statements that declare globals. */
const globals = /\bdeclare\s+(?:global|module\s*["'])/u

/**
 * Write the declarations of a module of a cell. Returns null when they would not mean the same elsewhere: a type has no name that other modules can use, the
 * module declares globals, it imports one of the notebook's own files, or documentation would be lost.
 */
export function maybeDeclarations(
  program: ts.Program,
  path: string,
  files: CellFiles,
): Declarations | null {
  const file = program.getSourceFile(path)
  if (file === undefined || file.text.length > maxLength) return null
  if (globals.test(file.text) || innerComment.test(file.text)) return null
  const texts: string[] = []
  const { diagnostics } = program.emit(file, (_, text) => texts.push(text), undefined, true)
  const [emitted] = texts
  if (emitted === undefined || diagnostics.length > 0) return null
  return bySlots(exportEach(emitted), files)
}

/**
 * Export each declaration where it stands, instead of in a list. In messages, TypeScript names the module of a type only if the type is exported there or if the
 * module is a file.
 */
function exportEach(text: string): string {
  const file = ts.createSourceFile('cell.d.ts', text, ts.ScriptTarget.Latest)
  const listed = file.statements.filter(isList)
  const specifiers = listed.flatMap(({ exportClause }) => exportClause.elements)
  const names = new Set(
    specifiers.flatMap(({ name, propertyName }) => (propertyName === undefined ? name.text : [])),
  )
  const edits = new Edits(text)
  const exported = new Set<string>()
  for (const statement of file.statements) {
    const own = namesIn(statement).filter((name) => names.has(name))
    const modifiers = ts.canHaveModifiers(statement) ? (statement.modifiers ?? []) : []
    if (own.length === 0 || modifiers.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword))
      continue
    for (const name of own) exported.add(name)
    if (modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) continue
    edits.insertBefore(statement.getStart(file), 'export ')
  }
  for (const each of listed) edits.remove(each.getStart(file), each.end)
  const others = specifiers.filter(
    ({ name, propertyName }) => propertyName !== undefined || !exported.has(name.text),
  )
  const list = others.map((each) => each.getText(file)).join(', ')
  return `${edits.apply()}export { ${list} };\n`
}

function isList(
  statement: ts.Statement,
): statement is ts.ExportDeclaration & { readonly exportClause: ts.NamedExports } {
  return (
    ts.isExportDeclaration(statement) &&
    statement.moduleSpecifier === undefined &&
    statement.exportClause !== undefined &&
    ts.isNamedExports(statement.exportClause)
  )
}

/** Return the names that a statement declares, except those that it imports. */
function namesIn(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name }) =>
      identifiersOf(name).map(({ text }) => text),
    )
  const isNamed =
    ts.isClassDeclaration(statement) ||
    ts.isFunctionDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isModuleDeclaration(statement)
  return isNamed && statement.name !== undefined ? [statement.name.text] : []
}

/** Replace the numbers of files in declarations by those of slots. */
function bySlots(emitted: string, files: CellFiles): Declarations | null {
  const slots = new Set<number>()
  const slotIn = (number: string): number => {
    const slot = files.slotIn(Number(number))
    slots.add(slot)
    return slot
  }
  const noteOld = (number: string): string => {
    slots.add(Number(number))
    return number
  }
  const text = emitted
    .replaceAll(head, '')
    .replaceAll(
      /import\("(?:\.\/)?\$cells"\)\.cell(\d+)/gu,
      (_, n: string) => `import("$old-${slotIn(n)}")`,
    )
    .replaceAll(/import\("(?:\.\/)?\$cells"\)\.old(\d+)/gu, 'import("$old-$1")')
    .replaceAll(/import\("\.\/\$cell-(\d+)"\)/gu, (_, n: string) => `import("$old-${slotIn(n)}")`)
    .replaceAll(
      /\bcell(\d+) as __cell\d+__/gu,
      (_, n: string) => `old${slotIn(n)} as __old${slotIn(n)}__`,
    )
    .replaceAll(/__cell(\d+)__/gu, (_, n: string) => `__old${slotIn(n)}__`)
    .replaceAll(/(?<=__old|"\$old-)(\d+)/gu, (_, n: string) => noteOld(n))
  return relativeImport.test(text) || slots.has(0) ? null : { text, slots }
}

/** Write declarations as a module of an old cell. `fileOf` returns the number of the file of a slot's module; 0 when the slot is that of an old cell. */
export function moduleOfOld(
  slot: number,
  { text, slots }: Declarations,
  fileOf: (slot: number) => number,
): string {
  let body = text
  for (const each of slots) {
    const file = fileOf(each)
    if (file === 0) continue
    body = body
      .replaceAll(`old${each} as __old${each}__`, `cell${file} as __cell${file}__`)
      .replaceAll(`__old${each}__`, `__cell${file}__`)
      .replaceAll(`import("$old-${each}")`, `import("$cell-${file}")`)
  }
  return `declare module '$old-${slot}' {\n${body}}\n`
}
