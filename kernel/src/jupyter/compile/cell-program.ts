import ts from 'typescript'
import { findDiagnostics } from './cell-diagnostics.ts'
import { builtInModules, cellGlobals } from './cell-globals.ts'
import { CellFiles } from './cell-files.ts'
import { CellModules } from './cell-modules.ts'
import { readCell, type CellText } from './cell-text.ts'
import { codes, complaintOf, type PlacedDiagnostic } from './complaints.ts'
import type { Complaint } from './compilation.ts'
import { typeLargeValues } from './large-values.ts'
import { DiskFiles } from './disk-files.ts'
import { pathSettingsOf, readFolderSettings, type FolderSettings } from './folder-settings.ts'
import type { PathSettings } from './path-settings.ts'
import { Names, type Origin } from './names.ts'
import { OldCells } from './old-cells.ts'
import { PlainCells } from './plain-cells.ts'
import { createCellService, type CellService } from './service.ts'

/** The diagnostics after which modules are resolved again. The package, or its types, may be installed before the next cell. */
const missingCodes: readonly number[] = [
  codes.missingModule,
  codes.missingModuleInMode,
  codes.untyped,
]

/** After this many cells, cells that nothing needs any more are removed. */
const sweepAfter = 64

/** A cell that has a slot. */
export interface PlacedCell {
  readonly text: CellText
  /** The number of the request that brought the cell. */
  readonly number: number
  /** The name of the cell for users, such as `cell 3`. */
  readonly label: string
}

/**
 * The TypeScript program of a notebook. It has the cells that have not ended and the cells whose names later cells can use. See {@link CellFiles} for slots.
 *
 * A cell is folded when its module has no file: later modules then contain plain declarations of its names, see {@link PlainCells}. So the program does not
 * grow with each cell. When a name is declared again with another type, the cells that use it are unfolded, because their types must be computed again.
 */
export class CellProgram {
  readonly names = new Names()
  readonly disk: DiskFiles
  readonly files: CellFiles
  readonly settings: FolderSettings
  /** The paths by which own files may be imported; null when there are none. */
  readonly paths: PathSettings | null
  readonly modules: CellModules
  readonly #folder: string
  readonly #service: CellService
  readonly #cells = new Map<number, PlacedCell>()
  /** Slots of cells that have not ended. They are not released. */
  readonly #pinned = new Set<number>()
  /**
   * For each cell number: the numbers of the cells whose names the cell was first compiled with. Its module imports from other cells when these declare the
   * names again.
   */
  readonly #compiledWith = new Map<number, readonly number[]>()
  readonly #plain = new PlainCells()
  readonly #old: OldCells
  /** The slots that {@link unfold} has unfolded, in ascending order. */
  #unfolded: readonly number[] = []
  /** The last program, and the number of changes of cell files when it was made. */
  #last: { readonly program: ts.Program; readonly changeCount: number } | null = null
  /** Whether the notebook's own files may have changed since. */
  #isStale = false
  #placedCount = 0

  constructor(folder: string, fallbackFile: string) {
    this.#folder = folder
    this.disk = new DiskFiles(folder)
    this.settings = readFolderSettings(folder)
    this.paths = pathSettingsOf(this.settings, folder)
    this.files = new CellFiles(folder, { '$globals.d.ts': cellGlobals })
    this.#old = new OldCells(this.files)
    this.modules = new CellModules({
      files: this.files,
      names: this.names,
      plain: this.#plain,
      old: this.#old,
      textOf: (slot) => this.#cells.get(slot)?.text,
    })
    this.#service = createCellService({
      folder,
      fallbackFile,
      builtIn: builtInModules,
      settings: this.settings,
      cells: this.files,
      disk: this.disk,
    })
  }

  /** The current program. */
  get program(): ts.Program {
    const { changeCount } = this.files
    // TypeScript would check each file of the program to find out whether it is up to date.
    if (!this.#isStale && this.#last?.changeCount === changeCount) return this.#last.program
    const program = this.#service.update()
    const isSame = this.#last?.program === program
    this.#isStale = false
    this.#last = { program, changeCount }
    if (isSame) return program
    // Resolve the types of unfolded cells from the first to the last. Otherwise TypeScript would resolve a chain of hundreds of cells recursively, and overflow
    // the stack.
    for (const slot of this.#unfolded)
      this.#plain.resolve(slot, { program, path: this.files.pathOf(slot) })
    return program
  }

  /** TypeScript's language service, for completion and inspection. */
  get service(): ts.LanguageService {
    this.#service.update()
    return this.#service.service
  }

  /** The cells that have a slot. */
  get cells(): ReadonlyMap<number, PlacedCell> {
    return this.#cells
  }

  /** The numbers of the cells that a new program has to compile, in order: those that later cells need, and those whose names these were compiled with. */
  get needed(): number[] {
    const needed = new Set(this.#numbersOf(this.#findNeeded()))
    // The loop also visits numbers that it adds.
    for (const number of needed)
      for (const each of this.#compiledWith.get(number) ?? []) needed.add(each)
    for (const number of this.#compiledWith.keys())
      if (!needed.has(number)) this.#compiledWith.delete(number)
    return [...needed]
  }

  /** Return the name of the cell in a slot for users. */
  labelOf(slot: number): string {
    return this.#cells.get(slot)?.label ?? 'an earlier cell'
  }

  /** Return the symbol of the module of a slot; undefined when TypeScript does not have the module. */
  moduleOf(slot: number): ts.Symbol | undefined {
    const { program } = this
    const path = this.#old.has(slot) ? this.files.oldPathOf(slot) : this.files.pathOf(slot)
    const file = program.getSourceFile(path)
    const declared = file?.statements.find(
      (each): each is ts.ModuleDeclaration =>
        ts.isModuleDeclaration(each) && each.name.text === `$old-${slot}`,
    )
    const place = declared?.name ?? file
    return place === undefined ? undefined : program.getTypeChecker().getSymbolAtLocation(place)
  }

  /** Give a cell a slot. The cell keeps it until {@link release}; after {@link letGo}, it may also be released once no known name comes from it. */
  place(cell: PlacedCell): number {
    this.#placedCount += 1
    if (this.files.freeCount === 0 || this.#placedCount % sweepAfter === 0) this.#sweep()
    const { text } = cell
    this.disk.nodeTypes.needNamed(text.source)
    this.#isStale = true
    const slot = this.modules.add(text)
    this.#cells.set(slot, cell)
    this.#pinned.add(slot)
    this.#compiledWith.set(cell.number, this.#numbersOf(this.modules.importsOf(slot)))
    return slot
  }

  /** Note that a cell has ended. Its slot can be released once no known name comes from it. */
  letGo(slot: number): void {
    this.#pinned.delete(slot)
  }

  /** Note the declarations of a cell that has ended. Returns those names of `again` whose type differs from that in the slot that declared them before. */
  settle(
    slot: number,
    {
      kinds,
      again,
    }: { kinds: ReadonlyMap<string, Origin['kind']>; again: ReadonlyMap<string, number> },
  ): ReadonlyMap<string, number> {
    const cell = this.#cells.get(slot)
    if (cell === undefined) return again
    this.#plain.add(slot, cell.text, { kinds, names: this.names })
    this.#read(slot, this.program)
    return new Map([...again].filter(([name, old]) => !this.#plain.isSame(name, slot, old)))
  }

  /** Fold those of these cells that can be folded, so that the program does not grow with them. */
  fold(slots: Iterable<number>): void {
    const folded = [...slots].filter((slot) => this.#plain.has(slot) && !this.#pinned.has(slot))
    for (const slot of folded) this.files.suspend(slot)
  }

  /**
   * Unfold the cells whose types may depend on names that were declared again with another type. They import names from each other's modules until
   * {@link foldAgain}.
   */
  unfold(changed: ReadonlyMap<string, number>): void {
    const slots = this.#findUsers(new Set(changed.keys()))
    for (const old of changed.values())
      if (this.#cells.has(old) && !this.#old.has(old)) slots.add(old)
    for (const slot of slots) {
      this.#plain.forget(slot)
      this.#old.remove(slot)
      this.files.resume(slot)
    }
    this.#unfolded = [...slots].toSorted((a, b) => a - b)
    for (const slot of slots) this.modules.write(slot)
  }

  /** Read the types of the unfolded cells again, and fold the cells again where that is possible. */
  foldAgain(): void {
    const { program } = this
    const slots = this.#unfolded
    this.#unfolded = []
    for (const slot of slots) this.#read(slot, program)
    this.fold(slots)
    for (const slot of slots) this.modules.write(slot)
  }

  /** Replace large literals in a cell by their types, because later cells need only the types. */
  typeLargeValues(slot: number): void {
    const cell = this.#cells.get(slot)
    if (cell === undefined) return
    const path = this.files.pathOf(slot)
    const { source } = cell.text
    const typed = typeLargeValues(this.program, path, source)
    if (typed === null) return
    this.#cells.set(slot, { ...cell, text: readCell(typed) })
    this.modules.write(slot)
  }

  /** Write an unfinished cell, with all known names, into a free file. Returns its path and the number of characters before the cell's text. */
  draft(text: CellText): { path: string; before: number } {
    if (this.files.freeCount === 0) this.#sweep()
    this.disk.nodeTypes.needNamed(text.source)
    this.#isStale = true
    return this.modules.draft(text)
  }

  /** Remove a cell and free its slot. */
  release(slot: number): void {
    this.#plain.remove(slot)
    this.#old.remove(slot)
    this.#pinned.delete(slot)
    this.#cells.delete(slot)
    this.modules.remove(slot)
  }

  /** Return TypeScript's diagnostics for a cell and for the notebook's own files that it imports. */
  check(slot: number): readonly PlacedDiagnostic[] {
    const { program } = this
    const path = this.files.pathOf(slot)
    const file = program.getSourceFile(path)
    if (file === undefined) return []
    const found = findDiagnostics(program, file, {
      text: this.#cells.get(slot)?.text ?? null,
      ownImports: this.ownImportsOf(slot),
    })
    // The missing module may be installed before the next cell.
    if (found.some(({ code }) => missingCodes.includes(code))) this.#service.forgetResolutions()
    return found.filter(({ code }) => code !== codes.untyped)
  }

  /** Describe a diagnostic for the user. */
  complaintOf(diagnostic: PlacedDiagnostic): Complaint {
    return complaintOf(diagnostic, {
      folder: this.#folder,
      cells: this.files,
      names: this.names,
      program: this.program,
      labelOf: (slot) => this.labelOf(slot),
    })
  }

  /** Return the notebook's own files that a cell imports, directly or indirectly. */
  ownImportsOf(slot: number): string[] {
    return this.#service.ownImportsOf(this.files.pathOf(slot))
  }

  /** Remove all cells. */
  clear(): void {
    this.names.clear()
    this.#compiledWith.clear()
    for (const slot of [...this.#cells.keys()]) this.release(slot)
    this.#old.clear()
  }

  #numbersOf(slots: Iterable<number>): number[] {
    return [...slots].flatMap((slot) => this.#cells.get(slot)?.number ?? [])
  }

  /** Remove the cells that no known name comes from. Add files when few are free. */
  #sweep(): void {
    const needed = this.#findNeeded()
    for (const slot of [...this.#cells.keys()]) if (!needed.has(slot)) this.release(slot)
    this.#retire()
    this.files.growIfScarce()
  }

  /** Read what later modules need of a cell: plain declarations, or the declarations of its module. */
  #read(slot: number, program: ts.Program): void {
    const module = { program, path: this.files.pathOf(slot) }
    this.#plain.read(slot, module)
    if (!this.#plain.has(slot)) this.#old.read(slot, module)
  }

  /** Make cells old, see {@link OldCells}, and write the modules again that import from them. */
  #retire(): void {
    const young = [...this.#cells.keys()].filter((slot) => !this.#pinned.has(slot))
    const retired = new Set(this.#old.add(young))
    if (retired.size === 0) return
    for (const slot of this.#cells.keys())
      if ([...this.modules.importsOf(slot)].some((each) => retired.has(each)))
        this.modules.write(slot)
  }

  /** Return the slots of cells that have not ended, of cells that known names or globals come from, and of cells that the modules of all these import from. */
  #findNeeded(): ReadonlySet<number> {
    const needed = new Set([...this.names.slots, ...this.#pinned])
    for (const [slot, { text }] of this.#cells) if (text.globals.size > 0) needed.add(slot)
    // The loop also visits slots that it adds.
    for (const slot of needed) {
      for (const each of this.modules.importsOf(slot)) needed.add(each)
      for (const each of this.#old.slotsOf(slot)) needed.add(each)
    }
    return needed
  }

  /** Return the slots of cells that use one of these names, or a name that such a cell declares. */
  #findUsers(names: Set<string>): Set<number> {
    const users = new Set<number>()
    // The loop also visits names that it adds.
    for (const name of names)
      for (const [slot, { text }] of this.#cells) {
        if (users.has(slot) || !text.words.has(name) || text.declared.has(name)) continue
        users.add(slot)
        for (const each of text.declared.keys()) names.add(each)
      }
    return users
  }
}
