import type {
  EventKind,
  Group,
  GroupRequest,
  Host,
  Island,
  Node,
  Run,
  Server,
  Slice,
  Sliver,
  Template,
  User,
} from '@community-lab/contract'
import { readGroups, readRequests, readUsers } from './access.ts'
import { readNodes } from './nodes.ts'
import { readHosts, readIslands, readServers } from './places.ts'
import { readEventRuns, readRuns, type RunSelection, type RunWithoutParts } from './runs.ts'
import type { Db, Selection, SliverSelection, Surroundings } from './selection.ts'
import { readSlices } from './slices.ts'
import { readSlivers } from './slivers.ts'
import { readTemplates } from './templates.ts'

/** An object whose changes are events. */
export type EventObject =
  | Node
  | Slice
  | Sliver
  | Run
  | RunWithoutParts
  | Template
  | Server
  | Island
  | Host
  | Group
  | User
  | GroupRequest

/** The key of an object in an event. */
export interface EventKey {
  readonly kind: EventKind
  readonly id: string
}

/** Reads whole objects, as the API shows them, ordered by id. In a transaction, they include its changes. */
export interface Readers {
  nodes(db: Db, selection?: Selection): Promise<Node[]>
  slices(db: Db, selection?: Selection): Promise<Slice[]>
  slivers(db: Db, selection?: SliverSelection): Promise<Sliver[]>
  /** The newest first. */
  runs(db: Db, selection?: RunSelection): Promise<Run[]>
  templates(db: Db, selection?: Selection): Promise<Template[]>
  servers(db: Db, selection?: Selection): Promise<Server[]>
  islands(db: Db, selection?: Selection): Promise<Island[]>
  hosts(db: Db, selection?: Selection): Promise<Host[]>
  groups(db: Db, selection?: Selection): Promise<Group[]>
  /** As each user may read them, without SSH keys and e-mail addresses. */
  users(db: Db, selection?: Selection): Promise<User[]>
  requests(db: Db, selection?: Selection): Promise<GroupRequest[]>
  /** Return the last contact of a node, in milliseconds since the epoch, when it is newer than the stored one. */
  lastSeenMs(nodeId: number): number | null
  /** Read objects of any kind. The keys are `kind id`. */
  objects(db: Db, wanted: readonly EventKey[]): Promise<Map<string, EventObject>>
}

/** Create the readers. */
export function createReaders(surroundings: Surroundings): Readers {
  const readers: Readers = {
    lastSeenMs: surroundings.lastSeenMs,
    nodes: (db, selection) => readNodes(db, surroundings, selection),
    slices: (db, selection) => readSlices(db, selection),
    slivers: (db, selection) => readSlivers(db, surroundings, selection),
    runs: (db, selection) => readRuns(db, selection),
    templates: (db, selection) => readTemplates(db, selection),
    servers: (db, selection) => readServers(db, surroundings, selection),
    islands: (db, selection) => readIslands(db, selection),
    hosts: (db, selection) => readHosts(db, surroundings, selection),
    groups: (db, selection) => readGroups(db, selection),
    users: (db, selection) => readUsers(db, { ...selection, keysShown: { ofUser: null } }),
    requests: (db, selection) => readRequests(db, selection),
    async objects(db, wanted) {
      const found = new Map<string, EventObject>()
      for (const [kind, keys] of Map.groupBy(wanted, (key) => key.kind)) {
        if (kind === 'incident') continue
        const ids = keys.map(({ id }) => id)
        const objects: readonly EventObject[] =
          kind === 'run'
            ? await readEventRuns(db, ids)
            : kind === 'sliver'
              ? await readers.slivers(db, { ids })
              : await readers[`${kind}s`](db, { ids: ids.map(Number) })
        for (const object of objects) found.set(`${kind} ${object.id}`, object)
      }
      return found
    },
  }
  return readers
}
