import {
  LabError,
  parseSliverId,
  path,
  routes,
  type NodeLastReport,
  type SliverHistoryState,
  type SliverLastReport,
} from '@community-lab/contract'
import { found } from '../../domain/found.ts'
import type { RegistryStore } from '../store.ts'

/** Read the last report of a node, with those of the slivers that it is to have. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readNodeReport(store: RegistryStore, id: number): Promise<NodeLastReport> {
  const [node] = await store.read.nodes(store.db, { ids: [id] })
  const { state, state_changed_on: changedOn, last_seen_on: seenOn } = found(node, 'node', id)
  const { report } = await store.db
    .selectFrom('nodes')
    .select('report')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const slivers = await store.db
    .selectFrom('slivers')
    .select('report')
    .where('node_id', '=', id)
    .where('report', 'is not', null)
    .orderBy('slice_id')
    .execute()
  return {
    url: path(routes.nodeState, { id }),
    current: state,
    last_change_on: changedOn,
    last_seen_on: seenOn,
    last_try_on: seenOn,
    verified: report !== null,
    metadata: {},
    data:
      report === null
        ? null
        : { ...report, slivers: slivers.flatMap((sliver) => sliver.report ?? []) },
  }
}

/** Read the last report of a sliver. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readSliverReport(
  store: RegistryStore,
  id: string,
): Promise<SliverLastReport> {
  const { sliceId, nodeId } = parseId(id)
  const at = { sliceIds: [sliceId], nodeIds: [nodeId] }
  const sliver = found((await store.read.slivers(store.db, at))[0], 'sliver', id)
  const node = found((await store.read.nodes(store.db, { ids: [nodeId] }))[0], 'node', nodeId)
  const hidden = node.state === 'offline' || node.state === 'crashed' ? node.state : null
  const current: SliverHistoryState = hidden ?? sliver.state
  return {
    url: path(routes.nodeState, { id: nodeId }),
    current,
    last_change_on: hidden === null ? sliver.state_changed_on : node.state_changed_on,
    last_seen_on: node.last_seen_on,
    last_try_on: node.last_seen_on,
    verified: sliver.actual !== null,
    metadata: {},
    data: sliver.actual,
  }
}

/** Read the id of a sliver, `slice@node`. @throws {@link LabError} LAB_NOT_FOUND when it is none. */
function parseId(id: string): { readonly sliceId: number; readonly nodeId: number } {
  const at = parseSliverId(id)
  if (at === null) throw new LabError('LAB_NOT_FOUND', { kind: 'sliver', id: id.slice(0, 64) })
  return at
}
