import ts from 'typescript'
import { findAbsentNames } from './absent-names.ts'
import { builtInModules, cellGlobals } from './cell-globals.ts'
import { CellFiles } from './cell-files.ts'
import { readCell, type CellText } from './cell-text.ts'
import { codes, complaintOf, type PlacedDiagnostic } from './complaints.ts'
import type { Complaint } from './compilation.ts'
import { typeLargeValues } from './large-values.ts'
import { DiskFiles } from './disk-files.ts'
import { readFolderSettings, type FolderSettings } from './folder-settings.ts'
import { Names } from './names.ts'
import { createCellService, type CellService } from './service.ts'

/** A cell that has a slot. */
export interface PlacedCell {
  readonly text: CellText
  /** Number of the request that brought it. */
  readonly number: number
  /** What people call it, like `cell 3`. */
  readonly label: string
}

/** One TypeScript program of the cells that have not ended and of those whose names later cells can use; and these names. */
export class CellProgram {
  readonly names = new Names()
  readonly disk: DiskFiles
  readonly files: CellFiles
  readonly settings: FolderSettings
  readonly #folder: string
  readonly #service: CellService
  readonly #cells = new Map<number, PlacedCell>()
  /** Slots of cells that have not ended. They are not reused. */
  readonly #pinned = new Set<number>()
  /** The slots that each slot's module mentions. */
  readonly #mentions = new Map<number, ReadonlySet<number>>()
  /** By a cell's number: the numbers of the cells whose names it was compiled with. Its module mentions others once they declare these names again. */
  readonly #compiledWith = new Map<number, readonly number[]>()

  constructor(folder: string, fallbackFile: string) {
    this.#folder = folder
    this.disk = new DiskFiles(folder)
    this.settings = readFolderSettings(folder)
    this.files = new CellFiles(folder, { '$globals.d.ts': cellGlobals })
    this.#service = createCellService({
      folder,
      fallbackFile,
      builtIn: builtInModules,
      settings: this.settings,
      cells: this.files,
      disk: this.disk,
    })
  }

  /** The program as it is now. */
  get program(): ts.Program {
    const program = this.#service.service.getProgram()
    if (program === undefined) throw new Error('the language service has no program')
    return program
  }

  /** TypeScript's language service, for questions. */
  get service(): ts.LanguageService {
    return this.#service.service
  }

  /** The cells that have a slot. */
  get cells(): ReadonlyMap<number, PlacedCell> {
    return this.#cells
  }

  /** The numbers of the cells that later cells need, and of those that these were compiled with: all that a new program has to compile, in their order. */
  get needed(): number[] {
    const needed = new Set(this.#numbersOf(this.#findNeeded()))
    // A loop over a set goes on with what is added to it meanwhile.
    for (const number of needed)
      for (const each of this.#compiledWith.get(number) ?? []) needed.add(each)
    for (const number of this.#compiledWith.keys())
      if (!needed.has(number)) this.#compiledWith.delete(number)
    return [...needed]
  }

  /** What people call the cell in a slot. */
  labelOf(slot: number): string {
    return this.#cells.get(slot)?.label ?? 'an earlier cell'
  }

  /** Give a cell a slot. It keeps the slot until {@link release}, or after {@link letGo} until no known name comes from it. */
  place(cell: PlacedCell): number {
    if (this.files.freeCount === 0) this.#sweep()
    const slot = this.files.take()
    this.#cells.set(slot, cell)
    this.#pinned.add(slot)
    this.write(slot)
    this.#compiledWith.set(cell.number, this.#numbersOf(this.#mentions.get(slot) ?? []))
    return slot
  }

  /** Note that a cell has ended. Its slot can be reused once no known name comes from it. */
  letGo(slot: number): void {
    this.#pinned.delete(slot)
  }

  /** Write a cell's module with the names that are known now. */
  write(slot: number): void {
    const cell = this.#cells.get(slot)
    if (cell === undefined) return
    const { text } = cell
    const { line, slots } = this.names.bring(text, (name) => text.words.has(name))
    this.#mentions.set(slot, slots)
    this.files.write(this.files.pathOf(slot), moduleOf(line, text))
  }

  /** Have later cells look at the types of large values that a cell has written out, not at the values. */
  typeLargeValues(slot: number): void {
    const cell = this.#cells.get(slot)
    if (cell === undefined) return
    const path = this.files.pathOf(slot)
    const { source } = cell.text
    const typed = typeLargeValues(this.program, path, source)
    if (typed === null) return
    this.#cells.set(slot, { ...cell, text: readCell(typed) })
    this.files.write(
      path,
      this.files.textOf(slot).replace(source, () => typed),
    )
  }

  /** Remove `declare global` from a cell's module, because a later cell declares the same globals. */
  dropGlobals(slot: number): void {
    const text = this.#cells.get(slot)?.text
    if (text === undefined) return
    const path = this.files.pathOf(slot)
    this.files.write(
      path,
      this.files.textOf(slot).replace(text.source, () => text.withoutGlobals),
    )
  }

  /** Put an unfinished cell into the next free slot, with all names. Returns its path, and how many characters stand before its text. */
  draft(text: CellText): { path: string; before: number } {
    if (this.files.freeCount === 0) this.#sweep()
    const path = this.files.pathOf(this.files.take(true))
    const { line } = this.names.bring(text, () => true)
    this.files.write(path, moduleOf(line, text))
    return { path, before: line.length + 1 }
  }

  /** Give a slot back. */
  release(slot: number): void {
    this.#mentions.delete(slot)
    this.#pinned.delete(slot)
    this.#cells.delete(slot)
    this.files.release(slot)
  }

  /** What TypeScript has against a cell, and against the notebook's own files that it imports. */
  check(slot: number): readonly PlacedDiagnostic[] {
    const { program } = this
    const path = this.files.pathOf(slot)
    const file = program.getSourceFile(path)
    if (file === undefined) return []
    const text = this.#cells.get(slot)?.text
    const syntactic = program.getSyntacticDiagnostics(file)
    const found =
      syntactic.length > 0
        ? syntactic
        : [
            ...this.ownImportsOf(slot).flatMap((each) => checkFile(program, each)),
            ...program.getSemanticDiagnostics(file),
            ...findAbsentNames(program, file, text?.words ?? new Set()),
          ]
    const placed = withoutAddedLines(found.filter(isPlaced), file)
    // A module that was not found may be installed before the next cell.
    const missing: readonly number[] = [
      codes.missingModule,
      codes.missingModuleInMode,
      codes.untyped,
    ]
    if (found.some(({ code }) => missing.includes(code))) this.#service.forgetResolutions()
    return placed.filter((each) => {
      // `export = x` is a statement of its own, which exports nothing from a cell.
      if (each.code === codes.exportAssigned && each.file === file) return false
      // An array that an earlier cell declared as `const rows = []` may hold anything.
      if (
        each.code === codes.evolvingUse &&
        each.file === file &&
        text?.declared.has(nameIn(each)) === false
      )
        return false
      return each.code !== codes.untyped
    })
  }

  /** Put a diagnostic into words. */
  complaintOf(diagnostic: PlacedDiagnostic): Complaint {
    return complaintOf(diagnostic, {
      folder: this.#folder,
      cells: this.files,
      names: this.names,
      program: this.program,
      labelOf: (slot) => this.labelOf(slot),
    })
  }

  /** The notebook's own files that a cell imports, directly or not. */
  ownImportsOf(slot: number): string[] {
    return this.#service.ownImportsOf(this.files.pathOf(slot))
  }

  /** Forget all cells. */
  clear(): void {
    this.names.clear()
    this.#compiledWith.clear()
    for (const slot of [...this.#cells.keys()]) this.release(slot)
  }

  #numbersOf(slots: Iterable<number>): number[] {
    return [...slots].flatMap((slot) => this.#cells.get(slot)?.number ?? [])
  }

  /** Free the slots that no known name comes from. Make more when few are free. */
  #sweep(): void {
    const needed = this.#findNeeded()
    for (const slot of [...this.#cells.keys()]) if (!needed.has(slot)) this.release(slot)
    this.files.growIfScarce()
  }

  /** The slots of cells that have not ended, that known names or globals come from, and that these mention. */
  #findNeeded(): ReadonlySet<number> {
    const needed = new Set([...this.names.slots, ...this.#pinned])
    for (const [slot, { text }] of this.#cells) if (text.globals.size > 0) needed.add(slot)
    // A loop over a set goes on with what is added to it meanwhile.
    for (const slot of needed) for (const each of this.#mentions.get(slot) ?? []) needed.add(each)
    return needed
  }
}

/** Write a cell as a module: a line that imports names of earlier cells, the cell's text, and a line that exports what it declares. */
function moduleOf(line: string, { source, declared, exported }: CellText): string {
  const names = [...declared.keys()].filter((name) => !exported.has(name))
  return `${line}\n${source}\nexport { ${names.join(', ')} }\n`
}

function checkFile(program: ts.Program, path: string): readonly ts.Diagnostic[] {
  const file = program.getSourceFile(path)
  if (file === undefined || file.isDeclarationFile || !/\.[cm]?tsx?$/u.test(path)) return []
  return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
}

function isPlaced(diagnostic: ts.Diagnostic): diagnostic is PlacedDiagnostic {
  return diagnostic.file !== undefined
}

/** Leave out what TypeScript says of the first and the last line of a cell's module, which the kernel has added. */
function withoutAddedLines(
  found: readonly PlacedDiagnostic[],
  file: ts.SourceFile,
): readonly PlacedDiagnostic[] {
  const first = file.text.indexOf('\n')
  const last = file.text.lastIndexOf('\nexport {')
  const own = found.filter((each) => each.file !== file || isBetween(each.start ?? 0, first, last))
  const uses = new Set(own.filter(({ code }) => code === codes.evolvingUse).map(nameIn))
  // TypeScript complains that the last line exports `const rows = []`, whose type it does not know. That is an error only when the cell uses it too.
  return own.filter((each) => each.code !== codes.evolving || uses.has(nameIn(each)))
}

function isBetween(at: number, first: number, last: number): boolean {
  return at > first && at < last
}

function nameIn(diagnostic: ts.Diagnostic): string {
  return /'([^']+)'/u.exec(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'))?.[1] ?? ''
}
