import {
  defaultInterfaces,
  defaultSliverMacPrefix,
  effectiveSetState,
  lendsAll,
  path,
  routes,
  sliverId,
  type NodeTarget,
  type PlacedProgram,
  type RunTarget,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { probeTarget, type TargetTemplate } from '../domain/probe.ts'
import { wantsProbe } from '../domain/readiness.ts'
import { boundTargetRuns } from '../domain/target-runs.ts'
import { dataUri } from './read/data-uri.ts'
import type { Db } from './read/selection.ts'

/** Read the targets of nodes, with everything that their agents need, in one query. A node that does not exist has none. */
export async function readNodeTargets(
  db: Db,
  nodeIds: readonly number[],
  mgmtPrefix: string,
): Promise<ReadonlyMap<number, NodeTarget>> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      const nodes = await tx
        .selectFrom('nodes')
        .select(['id', 'name', 'set_state', 'boot_sn', 'lends', 'arch', 'readiness'])
        .where('id', '=', sql<number>`any(${nodeIds}::int[])`)
        .execute()
      const slivers = await readTargetSlivers(tx, nodeIds)
      const runs = Map.groupBy(await readTargetRuns(tx, nodeIds), (run) => run.node_id)
      const groupIds = [...new Set(slivers.map((sliver) => sliver.group_id))]
      const users = await tx
        .selectFrom('users')
        .innerJoin('group_roles', 'group_roles.user_id', 'users.id')
        .select(['group_id', 'auth_tokens'])
        .where('group_id', '=', sql<number>`any(${groupIds}::int[])`)
        .where('is_active', '=', true)
        .where((eb) => eb.or([eb('is_group_admin', '=', true), eb('is_slice_admin', '=', true)]))
        .orderBy('users.id')
        .execute()
      const probed = nodes.filter(
        ({ set_state: setState, readiness }) => setState === 'production' && wantsProbe(readiness),
      )
      const templates = probed.length === 0 ? [] : await readProbeTemplates(tx)
      const probes = new Map(
        probed.map((node) => [
          node.id,
          [probeTarget(node, templates)].filter((one) => one !== null),
        ]),
      )
      const byNode = Map.groupBy(slivers, (sliver) => sliver.node_id)
      const byGroup = Map.groupBy(users, (user) => user.group_id)
      const keysOf = (groupId: number): string[] =>
        (byGroup.get(groupId) ?? []).flatMap((user) => user.auth_tokens)
      return new Map(
        nodes.map(({ readiness: _readiness, ...node }) => [
          node.id,
          {
            node: { ...node, lends: { ...lendsAll, ...node.lends } },
            testbed: { mgmt_ipv6_prefix: mgmtPrefix, sliver_mac_prefix: defaultSliverMacPrefix },
            slivers: [
              ...(byNode.get(node.id) ?? []).map((sliver) =>
                showSliver(sliver, keysOf(sliver.group_id)),
              ),
              ...(probes.get(node.id) ?? []),
            ],
            runs: [...boundTargetRuns((runs.get(node.id) ?? []).map(showRun))],
          },
        ]),
      )
    })
}

/**
 * Read the templates that a probe can use: those of which a sliver runs somewhere come first, and then the smallest. One of a group may have a fault of its own,
 * and so may a public one of which none runs.
 */
async function readProbeTemplates(tx: Db): Promise<readonly TargetTemplate[]> {
  const rows = await tx
    .selectFrom('template_versions')
    .innerJoin('templates', 'templates.id', 'template_versions.template_id')
    .select(['id', 'name', 'type', 'node_archs', 'is_active', 'version', 'image_sha256'])
    .where('template_versions.is_public', '=', true)
    .where('is_active', '=', true)
    .orderBy(
      ({ exists, selectFrom }) =>
        exists(
          selectFrom('slivers')
            .innerJoin('slices', 'slices.id', 'slivers.slice_id')
            .whereRef('slices.default_template_id', '=', 'template_versions.template_id')
            .whereRef('slices.default_template_version', '=', 'template_versions.version')
            .where('slivers.state', '=', 'started')
            .select('slices.id'),
        ),
      'desc',
    )
    .orderBy('image_size_bytes')
    .orderBy('id')
    .orderBy('version')
    .execute()
  return rows.map(({ version, ...row }) => ({
    ...row,
    image_uri: path(routes.templateImage, { id: row.id, version }),
  }))
}

type TargetRun = Awaited<ReturnType<typeof readTargetRuns>>[number]

/** Read the runs of slivers that have not ended. */
function readTargetRuns(tx: Db, nodeIds: readonly number[]) {
  return tx
    .selectFrom('run_parts')
    .innerJoin('runs', 'runs.id', 'run_parts.run_id')
    .innerJoin('slices', 'slices.id', 'runs.slice_id')
    .leftJoin('data_archives', (join) =>
      join
        .onRef('data_archives.group_id', '=', 'slices.group_id')
        .on(
          'data_archives.sha256',
          '=',
          sql<string>`runs.programs -> run_parts.program ->> 'files_sha256'`,
        ),
    )
    .select(['run_parts.node_id', 'run_id', 'slice_id', 'slices.group_id'])
    .select(['run_parts.slice_instance_sn', 'run_parts.instance_sn'])
    .select(['data_archives.sha256 as files_sha256', 'size_bytes as files_size_bytes'])
    .select(['start_at', 'limit_ms', 'cancelled_on', 'points'])
    .select(sql<PlacedProgram>`runs.programs -> run_parts.program`.as('program'))
    .where('run_parts.node_id', '=', sql<number>`any(${nodeIds}::int[])`)
    .where('run_parts.state', '!=', 'ended')
    .orderBy('runs.created_on')
    .orderBy('run_id')
    .execute()
}

function showRun(run: TargetRun): RunTarget {
  const { on: _on, files_sha256: _files, ...program } = run.program
  const isCancelled = run.cancelled_on !== null
  return {
    id: run.run_id,
    sliver: sliverId(run.slice_id, run.node_id),
    slice_instance_sn: run.slice_instance_sn,
    instance_sn: run.instance_sn,
    // A program that must not run need not be sent.
    program: isCancelled ? {} : program,
    ...(run.files_sha256 === null || isCancelled
      ? {}
      : {
          files: {
            uri: dataUri({ groupId: run.group_id, sha256: run.files_sha256 }),
            sha256: run.files_sha256,
            size_bytes: run.files_size_bytes ?? 0,
          },
        }),
    start_at: run.start_at?.toISOString() ?? null,
    limit_ms: run.limit_ms,
    is_cancelled: isCancelled,
    ...(run.points.length === 0 ? {} : { points: run.points }),
  }
}

type TargetSliver = Awaited<ReturnType<typeof readTargetSlivers>>[number]

function readTargetSlivers(tx: Db, nodeIds: readonly number[]) {
  return tx
    .selectFrom('slivers')
    .innerJoin('slices', 'slices.id', 'slivers.slice_id')
    .leftJoin('templates', 'templates.id', 'slices.default_template_id')
    .leftJoin('data_archives', (join) =>
      join
        .onRef('data_archives.group_id', '=', 'slices.group_id')
        .on(
          'data_archives.sha256',
          '=',
          sql<string>`coalesce(slivers.data_sha256, slices.default_data_sha256)`,
        ),
    )
    .leftJoin('template_versions', (join) =>
      join
        .onRef('template_versions.template_id', '=', 'slices.default_template_id')
        .onRef('template_versions.version', '=', 'slices.default_template_version'),
    )
    .select([
      'slivers.node_id',
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
      'data_archives.sha256 as data_sha256',
      'data_archives.size_bytes as data_size_bytes',
      'template_versions.version',
      'template_versions.image_sha256',
    ])
    .where('slivers.node_id', '=', sql<number>`any(${nodeIds}::int[])`)
    .orderBy('slices.id')
    .execute()
}

function showSliver(sliver: TargetSliver, keys: readonly string[]): NodeTarget['slivers'][number] {
  return {
    id: sliverId(sliver.slice_id, sliver.node_id),
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
              sliver.version === null
                ? null
                : path(routes.templateImage, { id: sliver.template_id, version: sliver.version }),
            image_sha256: sliver.image_sha256,
          },
    data:
      sliver.data_sha256 === null
        ? null
        : {
            uri: dataUri({ groupId: sliver.group_id, sha256: sliver.data_sha256 }),
            sha256: sliver.data_sha256,
            size_bytes: sliver.data_size_bytes ?? 0,
          },
    resources: sliver.resources,
    interfaces: [...defaultInterfaces],
    ssh_authorized_keys: [...keys],
  }
}
