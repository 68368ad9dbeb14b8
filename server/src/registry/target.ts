import {
  defaultInterfaces,
  defaultSliverMacPrefix,
  effectiveSetState,
  path,
  routes,
  sliverId,
  type NodeTarget,
} from '@community-lab/contract'
import { found } from './refusal.ts'
import type { RegistryStore } from './store.ts'

/** What is wanted of a node, with everything its agent needs, in one reading. */
export async function readNodeTarget(
  store: RegistryStore,
  nodeId: number,
  mgmtPrefix: string,
): Promise<NodeTarget> {
  return store.db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      const row = await tx
        .selectFrom('nodes')
        .select(['id', 'name', 'set_state', 'boot_sn'])
        .where('id', '=', nodeId)
        .executeTakeFirst()
      const rows = await tx
        .selectFrom('slivers')
        .innerJoin('slices', 'slices.id', 'slivers.slice_id')
        .leftJoin('templates', 'templates.id', 'slices.default_template_id')
        .select([
          'slivers.set_state',
          'slivers.instance_sn',
          'slivers.resources',
          'slices.id as slice_id',
          'slices.name as slice_name',
          'slices.group_id',
          'slices.set_state as slice_set_state',
          'slices.instance_sn as slice_instance_sn',
          'slices.default_set_state',
          'templates.id as template_id',
          'templates.name as template_name',
          'templates.type',
          'templates.node_archs',
          'templates.is_active',
          'templates.image_sha256',
        ])
        .where('slivers.node_id', '=', nodeId)
        .orderBy('slices.id')
        .execute()
      const users = await tx
        .selectFrom('users')
        .select(['group_id', 'auth_tokens'])
        .orderBy('id')
        .execute()
      return {
        node: found(row, 'node', nodeId),
        testbed: { mgmt_ipv6_prefix: mgmtPrefix, sliver_mac_prefix: defaultSliverMacPrefix },
        slivers: rows.map((sliver) => ({
          id: sliverId(sliver.slice_id, nodeId),
          slice_id: sliver.slice_id,
          slice_name: sliver.slice_name,
          set_state: effectiveSetState(
            sliver.slice_set_state,
            sliver.set_state,
            sliver.default_set_state,
          ),
          slice_instance_sn: sliver.slice_instance_sn,
          instance_sn: sliver.instance_sn,
          template:
            sliver.template_id === null
              ? null
              : {
                  id: sliver.template_id,
                  name: sliver.template_name ?? '',
                  type: sliver.type ?? 'debian',
                  node_archs: sliver.node_archs ?? [],
                  is_active: sliver.is_active ?? false,
                  image_uri:
                    sliver.image_sha256 === null
                      ? null
                      : path(routes.templateImage, { id: sliver.template_id }),
                  image_sha256: sliver.image_sha256,
                },
          resources: sliver.resources,
          interfaces: [...defaultInterfaces],
          ssh_authorized_keys: users
            .filter((user) => user.group_id === sliver.group_id)
            .flatMap((user) => user.auth_tokens),
        })),
      }
    })
}
