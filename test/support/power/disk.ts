import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { chooser, contentOf, randomOf, type Change, type FileNode, type Noted } from './content.ts'
import type { Step } from './step.ts'

/** The files that a power cut left, by their paths below the folder; null is a folder. */
export type Image = ReadonlyMap<string, Buffer | null>

/** A power cut. */
export interface Cut {
  /** How many steps were made before it. */
  readonly steps: number
  readonly seed: number
  readonly image: Image
  /** The events before it. */
  readonly events: readonly unknown[]
}

/** Options of {@link cutsOf}. */
export interface CutOptions {
  /** The folder whose files are kept. It is on the disk itself. */
  readonly root: string
  /** A copy of what was in the folder when the record began; default: nothing. */
  readonly before?: string
  /** The images at each of the moments. */
  readonly perMoment: number
  /** The most images. Moments are left out evenly. */
  readonly most: number
  /** The first seed. Each image has the next one. */
  readonly seed: number
}

/**
 * Build what a power cut may leave on the disk, at moments of a record. All that was synced before is there: the bytes of a file by its fsync or fdatasync, names by the fsync of their folder.
 * Of everything else any part may be there, in any order, as POSIX allows: writes that are missing, or torn at 512 bytes, or whose space holds zeros; names that are not
 * there yet or still. File systems promise more (ext4 writes names in order), but not all the same.
 *
 * Sources: Pillai et al., All File Systems Are Not Created Equal (ALICE), OSDI 2014, section 3; Mohan et al., CrashMonkey, OSDI 2018, section 4.
 */
export function* cutsOf(
  record: string,
  { root, before, perMoment, most, seed }: CutOptions,
): Generator<Cut> {
  const lines = readFileSync(record, 'utf8').trimEnd().split('\n')
  const disk = new Disk(root)
  if (before !== undefined) disk.load(before)
  const events: unknown[] = []
  const share = Math.min(1, most / (lines.length * perMoment))
  let due = 0
  let next = seed
  for (const [at, line] of lines.entries()) {
    const step = JSON.parse(line) as Step
    if (step.do === 'event') events.push(step.event)
    else disk.apply(step)
    due += share
    if (due < 1 && at < lines.length - 1) continue
    due -= 1
    for (let more = 0; more < perMoment; more++) {
      const image = disk.cut(randomOf(next))
      yield { steps: at + 1, seed: next++, image, events: [...events] }
    }
  }
}

/** Write an image into an empty folder. */
export function writeImage(image: Image, dir: string): void {
  for (const [path, content] of image) {
    const target = join(dir, path)
    if (content === null) mkdirSync(target, { recursive: true })
    else writeFileSync(target, content)
  }
}

interface Folder {
  readonly names: true
}
type Node = FileNode | Folder
/** A name that appears in a folder, goes, or both. */
interface NameChange {
  readonly added?: Place
  readonly removed?: Place
  readonly node: Node
}
interface Place {
  readonly folder: Folder
  readonly name: string
}

/** The disk as its record tells, and what of it is safe. */
class Disk {
  readonly #root: Folder = { names: true }
  readonly #base: string
  /** What programs see now. */
  readonly #paths = new Map<string, Node>()
  readonly #names: Noted<NameChange>[] = []
  readonly #open = new Map<string, { readonly node: Node; at: number }>()
  readonly #syncs = new Map<string, readonly Noted<unknown>[]>()

  constructor(base: string) {
    this.#base = base
    this.#paths.set(base, this.#root)
  }

  /** Take what is in a folder, which is safe. */
  load(from: string): void {
    for (const entry of readdirSync(from, { withFileTypes: true, recursive: true })) {
      const at = join(entry.parentPath, entry.name)
      const path = join(this.#base, relative(from, at))
      if (entry.isDirectory()) this.#add(path, { names: true })
      else if (entry.isFile()) this.#addFile(path, readFileSync(at))
    }
    for (const noted of [...this.#names, ...this.#changes()]) noted.isSynced = true
  }

  *#changes(): Iterable<Noted<Change>> {
    for (const node of this.#paths.values()) if (node.names === null) yield* node.changes
  }

  #addFile(path: string, data: Buffer): void {
    this.#add(path, { names: null, changes: [{ change: { at: 0, data }, isSynced: false }] })
  }

  apply(step: Exclude<Step, { readonly do: 'event' }>): void {
    if (step.do === 'open') this.#openFile(step)
    else if (step.do === 'found') {
      if (!this.#paths.has(step.path)) this.#addFile(step.path, Buffer.from(step.data, 'hex'))
    } else if (step.do === 'write') this.#write(step)
    else if (step.do === 'truncate') {
      const file = this.#fileOf(step)
      file?.changes.push({ change: { length: step.length }, isSynced: false })
    } else if (step.do === 'close') this.#open.delete(`${step.pid} ${step.fd}`)
    else if (step.do === 'sync') this.#syncs.set(step.id, this.#waitingOf(step))
    else if (step.do === 'synced')
      for (const noted of this.#syncs.get(step.id) ?? []) noted.isSynced = true
    else if (step.do === 'mkdir') this.#add(step.path, { names: true })
    else if (step.do === 'rename' || step.do === 'link') this.#move(step)
    else this.#remove(step.path)
  }

  #openFile({ pid, fd, path, creates, truncates }: Extract<Step, { readonly do: 'open' }>): void {
    let node = this.#paths.get(path)
    if (node === undefined) {
      if (!creates || this.#placeOf(path) === null) return
      node = { names: null, changes: [] }
      this.#add(path, node)
    } else if (truncates && node.names === null)
      node.changes.push({ change: { length: 0 }, isSynced: false })
    this.#open.set(`${pid} ${fd}`, { node, at: 0 })
  }

  #write({ pid, fd, at, data }: Extract<Step, { readonly do: 'write' }>): void {
    const open = this.#open.get(`${pid} ${fd}`)
    if (open === undefined || open.node.names !== null) return
    const bytes = Buffer.from(data, 'hex')
    const position = at ?? open.at
    open.node.changes.push({ change: { at: position, data: bytes }, isSynced: false })
    open.at = position + bytes.length
  }

  #fileOf({ pid, fd }: { readonly pid: number; readonly fd: number }): FileNode | null {
    const node = this.#open.get(`${pid} ${fd}`)?.node
    return node?.names === null ? node : null
  }

  /** What a sync that begins now makes safe: what was done before. */
  #waitingOf({ pid, fd }: { readonly pid: number; readonly fd: number }): Noted<unknown>[] {
    const node = this.#open.get(`${pid} ${fd}`)?.node
    if (node === undefined) return []
    if (node.names === null) return [...node.changes]
    return this.#names.filter(
      ({ change: { added, removed } }) => added?.folder === node || removed?.folder === node,
    )
  }

  #placeOf(path: string): Place | null {
    const folder = this.#paths.get(dirname(path))
    return folder?.names === true ? { folder, name: basename(path) } : null
  }

  #note(change: NameChange): void {
    this.#names.push({ change, isSynced: false })
  }

  #add(path: string, node: Node): void {
    const added = this.#placeOf(path)
    if (added === null) return
    this.#paths.set(path, node)
    this.#note({ added, node })
  }

  #remove(path: string): void {
    const removed = this.#placeOf(path)
    const node = this.#paths.get(path)
    if (removed === null || node === undefined) return
    this.#paths.delete(path)
    this.#note({ removed, node })
  }

  #move({ do: what, from, to }: Extract<Step, { readonly from: string }>): void {
    const node = this.#paths.get(from)
    const [removed, added] = [this.#placeOf(from), this.#placeOf(to)]
    if (node === undefined || removed === null || added === null) return
    if (what === 'rename')
      // What is in a folder goes with it.
      for (const [path, each] of [...this.#paths])
        if (path === from || path.startsWith(`${from}/`)) {
          this.#paths.delete(path)
          this.#paths.set(to + path.slice(from.length), each)
        }
    this.#paths.set(to, node)
    this.#note(what === 'rename' ? { added, removed, node } : { added, node })
  }

  /** Return what a power cut leaves now. */
  cut(random: () => number): Image {
    const keeps = chooser(random)
    const entries = new Map<Folder, Map<string, Node>>()
    const namesIn = (folder: Folder): Map<string, Node> => {
      const names = entries.get(folder) ?? new Map<string, Node>()
      entries.set(folder, names)
      return names
    }
    for (const { change, isSynced } of this.#names) {
      if (!isSynced && !keeps()) continue
      const { added, removed, node } = change
      if (removed !== undefined && namesIn(removed.folder).get(removed.name) === node)
        namesIn(removed.folder).delete(removed.name)
      if (added !== undefined) namesIn(added.folder).set(added.name, node)
    }
    const image = new Map<string, Buffer | null>()
    const contents = new Map<FileNode, Buffer>()
    const list = (folder: Folder, path: string): void => {
      for (const [name, node] of namesIn(folder)) {
        const at = join(path, name)
        if (node.names === null) {
          const content = contents.get(node) ?? contentOf(node, random)
          contents.set(node, content)
          image.set(relative(this.#base, at), content)
        } else {
          image.set(relative(this.#base, at), null)
          list(node, at)
        }
      }
    }
    list(this.#root, this.#base)
    return image
  }
}
