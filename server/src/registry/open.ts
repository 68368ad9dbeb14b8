import {
  crashedAfterMs,
  sliverId as formatSliverId,
  parseSliverId,
  type NodeTarget,
} from '@community-lab/contract'
import { etagOf, namesEtag } from './etag.ts'
import type { Database } from '../postgres/database.ts'
import { createGather } from '../postgres/gather.ts'
import { createChangeRunner } from './change.ts'
import { createContactBook } from './contact.ts'
import { createKnownEtags, type Tagged } from './known-etags.ts'
import type { RegistryStore } from './store.ts'
import { createReaders } from './read/readers.ts'
import { readGroupContact } from './read/group-contact.ts'
import { readTincHosts } from './read/tinc-hosts.ts'
import type { Registry } from './registry.ts'
import { found } from '../domain/found.ts'
import { readNodeTargets } from './target.ts'
import { repeat } from './repeat.ts'
import { openServerRun } from './server-run.ts'
import { tidy } from './tidy.ts'
import { watchNodes } from './watch-nodes.ts'
import { pruneHistory } from './write/history.ts'
import { applyReport, writeContacts } from './write/report.ts'
import { readStoredReports, reportEtag, storedEtag } from './write/stored-reports.ts'

/** Options of {@link openRegistry}. */
export interface RegistryOptions {
  readonly database: Database
  readonly mgmtPrefix: string
  /** A node is offline after this time without contact, in seconds. */
  readonly offlineAfterS: number
  /** Called when background work has failed. The work is repeated. */
  readonly onError: (error: unknown) => void
}

/** The time for which a node's poll is answered from memory, in milliseconds. */
const etagsMaxAgeMs = 5 * 60_000
/** The time between two removals of what has ended, in milliseconds. */
const tidyEveryMs = 60_000
/** The time between two removals of old history, in milliseconds. */
const pruneEveryMs = 3600_000
/** The number of nodes that are read in one query. */
const gatheredKeys = 200
/** The time between writes of the last contact of each node, in milliseconds. A server that is killed loses no more than that. */
const contactsEveryMs = 5 * 60_000

/** Open the registry, the only writer of its database. The other parts of the server get the registry; the routes also get its store. */
export async function openRegistry(
  options: RegistryOptions,
): Promise<Registry & RegistryStore & AsyncDisposable> {
  const { database, mgmtPrefix, offlineAfterS, onError } = options
  const { db } = database
  const targetListeners = new Set<(nodeId: number) => void>()
  const hostListeners = new Set<(names: readonly string[]) => void>()
  const contacts = createContactBook({
    silenceMs: offlineAfterS * 1000,
    stuckMs: crashedAfterMs,
    nowMs: () => performance.now(),
    dateMs: Date.now,
  })
  const known = createKnownEtags({ maxAgeMs: etagsMaxAgeMs, nowMs: () => performance.now() })
  const read = createReaders({ mgmtPrefix, lastSeenMs: contacts.lastSeenMs })
  const change = createChangeRunner(db, read, {
    onTarget(nodeId) {
      known.forgetTarget(nodeId)
      targetListeners.forEach((listener) => listener(nodeId))
    },
    onTincHosts: (names) => hostListeners.forEach((listener) => listener(names)),
  })
  const run = await openServerRun({ db, onError })
  const store: RegistryStore = { db, read, change, run }

  // Many nodes ask for the same at the same time, above all after the start of the server.
  const gatherNode = createGather({
    maxKeys: gatheredKeys,
    read: async (ids: readonly number[]) =>
      new Map((await read.nodes(db, { ids })).map((node) => [node.id, node])),
  })
  const gatherTarget = createGather({
    maxKeys: gatheredKeys,
    read: (ids: readonly number[]) => readNodeTargets(db, ids, mgmtPrefix),
  })
  const gatherStored = createGather({
    maxKeys: gatheredKeys,
    read: (ids: readonly number[]) => readStoredReports(db, ids),
  })
  const readReportEtag = async (nodeId: number): Promise<string | null> => {
    const stored = await gatherStored(nodeId)
    return stored === undefined ? null : storedEtag(stored)
  }
  /** Read the ETag of a node's last report. A report that arrives during this has the newer ETag. */
  const learnReport = async (nodeId: number): Promise<string | null> => {
    const etag = await readReportEtag(nodeId)
    const newer = known.report(nodeId)
    if (newer === null && etag !== null) known.noteReport(nodeId, etag)
    return newer ?? etag
  }
  const readTarget = (nodeId: number): Promise<Tagged<NodeTarget>> =>
    known.readTarget(nodeId, async () => {
      const value = found(await gatherTarget(nodeId), 'node', nodeId)
      return { etag: etagOf(value), value }
    })

  const nodeWatch = await watchNodes({ store, contacts, offlineAfterS, onError })
  const noteContacts = async (): Promise<void> => {
    const unwritten = contacts.unwritten()
    if (unwritten.size > 0) contacts.noteWritten(await writeContacts(store, unwritten))
  }
  const writeAgain = repeat(contactsEveryMs, onError, noteContacts)
  const prune = repeat(pruneEveryMs, onError, () => pruneHistory(db, onError))
  const tidyAgain = repeat(tidyEveryMs, onError, () => tidy(store, onError))

  return {
    ...store,
    node: async (id) => (await gatherNode(id)) ?? null,
    async sliver(id) {
      const at = parseSliverId(id)
      if (at === null || formatSliverId(at.sliceId, at.nodeId) !== id) return null
      const [sliver] = await read.slivers(db, { sliceIds: [at.sliceId], nodeIds: [at.nodeId] })
      return sliver ?? null
    },
    groupContact: (groupId) => readGroupContact(db, groupId),
    async sliceGroup(sliceId) {
      const row = await db
        .selectFrom('slice_owners')
        .select('group_id')
        .where('slice_id', '=', sliceId)
        .executeTakeFirst()
      return row?.group_id ?? null
    },
    tincHosts: (names) => readTincHosts(db, mgmtPrefix, names),
    onTargetChanged(listener) {
      targetListeners.add(listener)
      return () => void targetListeners.delete(listener)
    },
    onTincHostsChanged(listener) {
      hostListeners.add(listener)
      return () => void hostListeners.delete(listener)
    },
    async poll(nodeId, { target, report }) {
      await nodeWatch.noteWork(nodeId)
      const isReported =
        report !== null && report === (known.report(nodeId) ?? (await learnReport(nodeId)))
      if (isReported) await nodeWatch.unheard.end(nodeId)
      return {
        target:
          target !== null && target === (known.target(nodeId) ?? (await readTarget(nodeId)).etag),
        report: isReported,
      }
    },
    async target(nodeId, asked) {
      await nodeWatch.noteWork(nodeId)
      const etag = known.target(nodeId)
      if (asked !== null && etag !== null && namesEtag(asked, etag)) return null
      return (await readTarget(nodeId)).value
    },
    async takeReport(nodeId, report) {
      await nodeWatch.noteWork(nodeId)
      const etag = reportEtag(report)
      // Many nodes report after an outage of the server, and most of them report what is stored already.
      let outcome: Awaited<ReturnType<typeof applyReport>> = 'settled'
      if ((await readReportEtag(nodeId)) !== etag)
        outcome = await applyReport(store, nodeId, {
          report,
          unheardSince: nodeWatch.unheard.since(nodeId),
        })
      await nodeWatch.unheard.end(nodeId)
      if (outcome === 'settled') known.noteReport(nodeId, etag)
      // What was written just now is no newer than the last contact. Otherwise a node that is silent from now on would have been offline before it.
      await nodeWatch.noteContact(nodeId)
      return etag
    },
    async noteContact(nodeId, connected) {
      // A lost connection is no sign of life. The last contact before it counts.
      if (connected) await nodeWatch.noteContact(nodeId)
    },
    async reportIncident(incident) {
      await change(({ incident: note }) => {
        note(incident)
        return Promise.resolve()
      })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([nodeWatch[Symbol.asyncDispose](), tidyAgain(), writeAgain(), prune()])
      await noteContacts().catch(onError)
      await run[Symbol.asyncDispose]()
    },
  }
}
