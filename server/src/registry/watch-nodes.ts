import { crashedAfterMs } from '@community-lab/contract'
import type { ContactBook } from './contact.ts'
import { nodeStateOf } from '../domain/node-state.ts'
import { repeat } from './repeat.ts'
import type { RegistryStore } from './store.ts'
import { openUnheardNodes, type UnheardNodes } from './unheard-nodes.ts'
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
  /** The nodes of which nothing has been heard for a time. */
  readonly unheard: UnheardNodes
}

const mostFailuresInRow = 3

/** Watch the nodes. Only changes of a node's state are written. */
export async function watchNodes(options: WatchOptions): Promise<NodeWatch> {
  const { store, contacts, offlineAfterS, onError } = options
  const startedMs = Date.now()
  const unheard = await openUnheardNodes(store.db)

  /** Write the state of a node that follows from its last report and its contacts. */
  const refresh = async (nodeId: number): Promise<void> => {
    const seenMs = contacts.lastSeenMs(nodeId)
    const isInContact = contacts.isExpected(nodeId)
    const isWorking = contacts.isWorking(nodeId)
    const lastSeen = isInContact || seenMs === null ? null : new Date(seenMs)
    await setNodeState(store, nodeId, {
      next: ({ reported }) => nodeStateOf({ reported, isInContact, isWorking }),
      reason: reasonOf(isInContact, isWorking),
      // A silent node has been offline since its last contact. The contacts before the start of this server are not known here.
      ...(isInContact ? {} : { since: new Date(seenMs ?? startedMs) }),
      lastSeen,
      unheardSince: lastSeen === null ? null : unheard.note(nodeId, lastSeen),
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
    unheard,
    [Symbol.asyncDispose]: stop,
  }
}
