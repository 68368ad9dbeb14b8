import type { EventKind, Node, Slice, Sliver, Template } from '@community-lab/contract'
import { readNodes } from './nodes.ts'
import type { Db, Selection, SliverSelection, Surroundings } from './selection.ts'
import { readSlices } from './slices.ts'
import { readSlivers } from './slivers.ts'
import { readTemplates } from './templates.ts'

/** Reads whole objects, as the API shows them, ordered by id. In a transaction, they include its changes. */
export interface Readers {
  nodes(db: Db, selection?: Selection): Promise<Node[]>
  slices(db: Db, selection?: Selection): Promise<Slice[]>
  slivers(db: Db, selection?: SliverSelection): Promise<Sliver[]>
  templates(db: Db, selection?: Selection): Promise<Template[]>
  /** Read objects of any kind. The keys are `kind id`. */
  objects(
    db: Db,
    wanted: readonly { readonly kind: EventKind; readonly id: string }[],
  ): Promise<Map<string, Node | Slice | Sliver | Template>>
}

/** Create the readers. */
export function createReaders(surroundings: Surroundings): Readers {
  const readers: Readers = {
    nodes: (db, selection) => readNodes(db, surroundings, selection),
    slices: (db, selection) => readSlices(db, selection),
    slivers: (db, selection) => readSlivers(db, surroundings, selection),
    templates: (db, selection) => readTemplates(db, selection),
    async objects(db, wanted) {
      const found = new Map<string, Node | Slice | Sliver | Template>()
      const idsOf = (kind: EventKind) => wanted.filter((each) => each.kind === kind)
      const add = (kind: EventKind, objects: readonly (Node | Slice | Sliver | Template)[]) => {
        for (const object of objects) found.set(`${kind} ${object.id}`, object)
      }
      const numbers = (kind: EventKind) => ({ ids: idsOf(kind).map(({ id }) => Number(id)) })
      if (idsOf('node').length > 0) add('node', await readers.nodes(db, numbers('node')))
      if (idsOf('slice').length > 0) add('slice', await readers.slices(db, numbers('slice')))
      if (idsOf('template').length > 0)
        add('template', await readers.templates(db, numbers('template')))
      const ids = idsOf('sliver').map(({ id }) => id)
      if (ids.length > 0) add('sliver', await readers.slivers(db, { ids }))
      return found
    },
  }
  return readers
}
