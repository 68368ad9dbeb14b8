import {
  nodeTincName,
  sliverId,
  type Node,
  type NodeCreate,
  type NodePatch,
} from '@community-lab/contract'
import { checkNodeSetState } from '../../domain/node-state.ts'
import { checkIfMatch } from '../etag.ts'
import { found } from '../../domain/found.ts'
import { readyNode } from '../../domain/readiness.ts'
import { claimName } from './claim-name.ts'
import type { RegistryStore } from '../store.ts'
import type { Change } from '../change.ts'
import { requireAllowed } from './group-rules.ts'
import { chooseIsland } from './islands.ts'
import { lockAdmission } from './admission.ts'
import { lockRow } from './lock-row.ts'
import { endPartsOf } from './run-parts.ts'
import { revokeTokens } from './revoke-tokens.ts'

/** Register a node of a group. The node is in `debug` until it is enrolled. @throws {@link LabError} LAB_NAME_TAKEN, LAB_GROUP_NOT_ALLOWED. */
export async function createNode(
  store: RegistryStore,
  groupId: number,
  body: NodeCreate,
): Promise<Node> {
  const id = await store.change(async (change) => {
    await requireAllowed(change, groupId, {
      what: 'nodes',
      action: `register node ${body.name}`,
    })
    const row = await claimName(
      'node',
      body.name,
      change.tx
        .insertInto('nodes')
        .values({
          name: body.name,
          description: body.description ?? '',
          group_id: groupId,
          arch: body.arch ?? 'x86_64',
          properties: JSON.stringify(body.properties ?? {}),
          island_id: await chooseIsland(change, body.island, null),
          cn: communityEntry(body.cn ?? null),
          set_state: 'debug',
          state: 'unknown',
        })
        .returning('id')
        .executeTakeFirstOrThrow(),
    )
    change.note('node', 'created', row.id)
    // A group shows its nodes.
    change.note('group', 'updated', groupId)
    return row.id
  })
  return readNode(store, id)
}

/** Read one node. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readNode(store: RegistryStore, id: number, tx = store.db): Promise<Node> {
  const [node] = await store.read.nodes(tx, { ids: [id] })
  return found(node, 'node', id)
}

/** Change a node. @throws {@link LabError} LAB_NOT_FOUND, LAB_NAME_TAKEN, LAB_GROUP_NOT_ALLOWED, LAB_NODE_STATE_REFUSED, LAB_REQUEST_PRECONDITION_FAILED. */
export async function patchNode(
  store: RegistryStore,
  id: number,
  body: NodePatch,
  ifMatch: string | null = null,
): Promise<Node> {
  return store.change(async (change) => {
    // A slice that is being admitted counts on what the node lends.
    if (body.lends !== undefined) await lockAdmission(change)
    const node = await lockNode(store, change, id)
    checkIfMatch(ifMatch, node)
    if (body.set_state !== undefined) checkNodeSetState(node.name, node.set_state, body.set_state)
    if (body.set_state === 'production' && node.set_state !== 'production')
      await requireAllowed(change, node.group.id, {
        what: 'nodes',
        action: `put node ${node.name} into production`,
      })
    await claimName(
      'node',
      body.name ?? node.name,
      change.tx
        .updateTable('nodes')
        .set({
          name: body.name ?? node.name,
          description: body.description ?? node.description,
          properties: JSON.stringify(body.properties ?? node.properties),
          island_id: await chooseIsland(change, body.island, node.island),
          cn: communityEntry(body.cn === undefined ? node.cn : body.cn),
          set_state: body.set_state ?? node.set_state,
          lends: JSON.stringify({ ...node.lends, ...body.lends }),
          // Who puts a node into production again says that it was repaired.
          ...(body.set_state === 'production' && node.set_state !== 'production'
            ? { readiness: JSON.stringify(readyNode) }
            : {}),
        })
        .where('id', '=', id)
        .execute(),
    )
    change.note('node', 'updated', id)
    // A sliver shows the name of its node.
    if (body.name !== undefined && body.name !== node.name) change.noteSlivers('node', id)
    change.target(id)
    return readNode(store, id, change.tx)
  })
}

/** Request that a node restarts everything on it, once. */
export async function rebootNode(store: RegistryStore, id: number): Promise<Node> {
  return store.change(async (change) => {
    await lockNode(store, change, id)
    await change.tx
      .updateTable('nodes')
      .set((eb) => ({ boot_sn: eb('boot_sn', '+', 1) }))
      .where('id', '=', id)
      .execute()
    change.note('node', 'updated', id)
    change.target(id)
    return readNode(store, id, change.tx)
  })
}

/** Remove a node with its slivers, keys and tokens. */
export async function deleteNode(
  store: RegistryStore,
  id: number,
  ifMatch: string | null,
): Promise<void> {
  await store.change(async (change) => {
    // Nobody adds a sliver to it before it is removed.
    await lockRow(change, 'nodes', { id, forRemoval: true })
    const node = await readNode(store, id, change.tx)
    checkIfMatch(ifMatch, node)
    const slivers = await change.tx
      .deleteFrom('slivers')
      .where('node_id', '=', id)
      .returning('slice_id')
      .execute()
    for (const { slice_id: sliceId } of slivers) {
      change.note('sliver', 'deleted', sliverId(sliceId, id))
      change.note('slice', 'updated', sliceId)
      await endPartsOf(change, { sliceId, nodeIds: [id] })
    }
    await revokeTokens(change, { nodeId: id })
    await change.tx.deleteFrom('nodes').where('id', '=', id).execute()
    change.note('node', 'deleted', id)
    change.note('group', 'updated', node.group.id)
    change.tincHost(nodeTincName(id))
  })
}

/** Remove the keys and tokens of a node. It is in `debug` and offline until it is enrolled again. */
export async function revokeNode(store: RegistryStore, id: number): Promise<Node> {
  return store.change(async (change) => {
    const { last_seen_on: seenOn } = await lockNode(store, change, id)
    await revokeTokens(change, { nodeId: id })
    await change.tx.deleteFrom('enrollments').where('node_id', '=', id).execute()
    await change.tx
      .updateTable('nodes')
      .set({
        tinc_pubkey: null,
        set_state: 'debug',
        state: 'offline',
        state_reason: 'it was revoked',
        state_changed_on: new Date(),
        last_seen_on: seenOn === null ? null : new Date(seenOn),
      })
      .where('id', '=', id)
      .execute()
    change.note('node', 'updated', id)
    change.target(id)
    change.tincHost(nodeTincName(id))
    return readNode(store, id, change.tx)
  })
}

/** Lock the row of a node until the end of the transaction, and read it. */
export async function lockNode(store: RegistryStore, change: Change, id: number): Promise<Node> {
  await lockRow(change, 'nodes', { id })
  return readNode(store, id, change.tx)
}

function communityEntry(cn: Node['cn']): string | null {
  return cn === null ? null : JSON.stringify(cn)
}
