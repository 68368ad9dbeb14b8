import { crashedAfterMs } from '@community-lab/contract'
import type { ContactBook } from './contact.ts'
import { nodeStateOf } from '../domain/node-state.ts'
import { repeat } from './repeat.ts'
import type { RegistryStore } from './store.ts'
import { setNodeState } from './write/report.ts'

/** Options of {@link watchNodes}. */
export interface WatchOptions {
  readonly store: RegistryStore
  readonly contacts: ContactBook
  /** A node is offline after this time without contact, in seconds. */
  readonly offlineAfterS: number
  readonly onError: (error: unknown) => void
}

/** Marks nodes as offline or crashed, and gives them the state of their last report when they are back. */
export interface NodeWatch extends AsyncDisposable {
  /** Note contact of a node. */
  noteContact(nodeId: number): Promise<void>
  /** Note that the agent of a node polls or reports. */
  noteWork(nodeId: number): Promise<void>
  /**
   * Return the last contact before what the server has not heard of: the node was offline, or the server did not run, and the node has neither reported since
   * nor said that its last report still holds. Its slivers may have ended then. null: there is no such time.
   */
  unheardSince(nodeId: number): Date | null
  /** Note that the server has the node's present report. */
  noteReported(nodeId: number): void
}

const mostFailuresInRow = 3

/** Watch the nodes. Only changes of a node's state are written. */
export async function watchNodes(options: WatchOptions): Promise<NodeWatch> {
  const { store, contacts, offlineAfterS, onError } = options
  const startedMs = Date.now()
  const seen = await store.db
    .selectFrom('nodes')
    .select(['id', 'last_seen_on'])
    .where('last_seen_on', 'is not', null)
    .execute()
  const unheard = new Map(
    seen.flatMap(({ id, last_seen_on: seenOn }) => (seenOn === null ? [] : [[id, seenOn]])),
  )

  /** Write the state of a node that follows from its last report and its contacts. */
  const refresh = async (nodeId: number): Promise<void> => {
    const seenMs = contacts.lastSeenMs(nodeId)
    const isInContact = contacts.isExpected(nodeId)
    const isWorking = contacts.isWorking(nodeId)
    if (!isInContact && seenMs !== null && !unheard.has(nodeId))
      unheard.set(nodeId, new Date(seenMs))
    await setNodeState(store, nodeId, {
      next: ({ reported }) => nodeStateOf({ reported, isInContact, isWorking }),
      reason: reasonOf(isInContact, isWorking),
      // A silent node has been offline since its last contact. The contacts before the start of this server are not known here.
      ...(isInContact ? {} : { since: new Date(seenMs ?? startedMs) }),
      lastSeen: isInContact || seenMs === null ? null : new Date(seenMs),
    })
  }
  const reasonOf = (isInContact: boolean, isWorking: boolean): string | null => {
    if (!isInContact) return `no sign of life for ${offlineAfterS} s`
    const stuckForH = crashedAfterMs / 3_600_000
    return isWorking ? null : `it is connected, but its agent has not polled for ${stuckForH} h`
  }
  /**
   * Refresh nodes, each by itself: one whose state cannot be written keeps no other from its own. Those that could not be written are passed to `again`. After
   * several in a row the database is away, and the rest waits, too.
   */
  const refreshAll = async (
    nodeIds: readonly number[],
    again: (nodeIds: readonly number[]) => void,
  ): Promise<void> => {
    let failuresInRow = 0
    for (const [index, nodeId] of nodeIds.entries())
      try {
        await refresh(nodeId)
        // The node made contact while this was written.
        if (contacts.isExpected(nodeId) && contacts.isWorking(nodeId)) await refresh(nodeId)
        failuresInRow = 0
      } catch (error) {
        onError(error)
        failuresInRow += 1
        again(failuresInRow < mostFailuresInRow ? [nodeId] : nodeIds.slice(index))
        if (failuresInRow === mostFailuresInRow) return
      }
  }

  // These nodes were registered before the server started, so their silence is noticed. Any other node is expected from its first contact on.
  const present = await store.db
    .selectFrom('nodes')
    .select('id')
    .where('state', 'not in', ['unknown', 'offline'])
    .execute()
  contacts.expect(present.map((row) => row.id))
  const stop = repeat(Math.max(250, (offlineAfterS * 1000) / 10), onError, async () => {
    await refreshAll(contacts.takeSilent(), (nodeIds) => contacts.expect(nodeIds))
    await refreshAll(contacts.takeStuck(), (nodeIds) => contacts.expectWork(nodeIds))
  })
  return {
    async noteContact(nodeId) {
      if (!contacts.note(nodeId)) return
      try {
        await refresh(nodeId)
      } catch (error) {
        contacts.forget(nodeId)
        throw error
      }
    },
    async noteWork(nodeId) {
      if (!contacts.noteWork(nodeId)) return
      try {
        await refresh(nodeId)
      } catch (error) {
        contacts.forgetWork(nodeId)
        throw error
      }
    },
    unheardSince: (nodeId) => unheard.get(nodeId) ?? null,
    noteReported: (nodeId) => void unheard.delete(nodeId),
    [Symbol.asyncDispose]: stop,
  }
}
