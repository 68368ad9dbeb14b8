import { sql, type RawBuilder } from 'kysely'
import { Node, parseSliverId, Slice, Sliver, Template } from '@community-lab/contract'
import {
  boolean,
  integer,
  object,
  property,
  text,
  type FilterColumn,
  type FilterColumns,
} from '../../postgres/filter.ts'
import type { RegistryStore } from '../store.ts'
import type { ListSource } from './list-source.ts'
import { readNewestEvent } from './newest-event.ts'
import { readRoom } from './room.ts'
import { count } from './selection.ts'
import { nodeVersions, sliceVersions, sliverVersions } from './versions.ts'

/** List the nodes. The database filters them and divides them into pages. */
export function listNodes({ db, read }: RegistryStore): ListSource<Node> {
  return {
    schema: Node,
    columns: nodeColumns,
    conditions: { room: readRoom },
    version: () => readNewestEvent(db),
    count: (where) => count(db, sql`nodes`, where),
    read: (page) => read.nodes(db, page),
    kept: {
      idOf: ({ id }) => String(id),
      versions: (page) => nodeVersions(db, page),
      read: (ids) => read.nodes(db, { ids: ids.map(Number) }),
      lastSeenMs: (id) => read.lastSeenMs(Number(id)),
    },
    after: ({ id }) => sql<boolean>`nodes.id > ${id}`,
  }
}

/** List the slices. */
export function listSlices({ db, read }: RegistryStore): ListSource<Slice> {
  return {
    schema: Slice,
    columns: sliceColumns,
    version: () => readNewestEvent(db),
    count: (where) => count(db, sql`slices`, where),
    read: (page) => read.slices(db, page),
    kept: {
      idOf: ({ id }) => String(id),
      versions: (page) => sliceVersions(db, page),
      read: (ids) => read.slices(db, { ids: ids.map(Number) }),
    },
    after: ({ id }) => sql<boolean>`slices.id > ${id}`,
  }
}

/** List the slivers. */
export function listSlivers({ db, read }: RegistryStore): ListSource<Sliver> {
  const from = sql`slivers
    join slices on slices.id = slivers.slice_id
    join nodes on nodes.id = slivers.node_id`
  return {
    schema: Sliver,
    columns: sliverColumns,
    version: () => readNewestEvent(db),
    count: (where) => count(db, from, where),
    read: (page) => read.slivers(db, page),
    kept: {
      idOf: ({ id }) => id,
      versions: (page) => sliverVersions(db, page),
      read: (ids) => read.slivers(db, { ids }),
    },
    after: ({ slice, node }) =>
      sql<boolean>`(slivers.slice_id, slivers.node_id) > (${slice.id}::int, ${node.id}::int)`,
  }
}

/** List the templates. */
export function listTemplates({ db, read }: RegistryStore): ListSource<Template> {
  return {
    schema: Template,
    columns: templateColumns,
    version: () => readNewestEvent(db),
    count: (where) => count(db, sql`templates`, where),
    read: (page) => read.templates(db, page),
    after: ({ id }) => sql<boolean>`templates.id > ${id}`,
  }
}

/** Filter by the slivers of a node or slice, by their id. */
function sliverOf(side: 'slice' | 'node'): FilterColumn {
  return (value) => {
    const at = typeof value === 'string' ? parseSliverId(value) : null
    if (at === null) return sql<boolean>`false`
    const own = side === 'node' ? sql`nodes.id = ${at.nodeId}` : sql`slices.id = ${at.sliceId}`
    return sql<boolean>`${own} and exists (
      select from slivers as one where one.slice_id = ${at.sliceId} and one.node_id = ${at.nodeId})`
  }
}

const nodeColumns: FilterColumns = {
  '/id': integer(sql`nodes.id`),
  '/name': text(sql`nodes.name`),
  '/description': text(sql`nodes.description`),
  '/group/id': integer(sql`nodes.group_id`),
  '/island': object(sql`nodes.island_id`),
  '/island/id': integer(sql`nodes.island_id`),
  '/cn': object(sql`nodes.cn`),
  '/arch': text(sql`nodes.arch`),
  '/properties/*': property(sql`nodes.properties`),
  '/set_state': text(sql`nodes.set_state`),
  '/state': text(sql`nodes.state`),
  '/boot_sn': integer(sql`nodes.boot_sn`),
  '/tinc/pubkey': text(sql`nodes.tinc_pubkey`),
  '/soft_version': text(sql`nodes.report ->> 'soft_version'`),
  '/public_prefix': text(sql`nodes.report ->> 'public_prefix'`),
  '/slivers/_/id': sliverOf('node'),
}

const sliceColumns: FilterColumns = {
  '/id': integer(sql`slices.id`),
  '/name': text(sql`slices.name`),
  '/description': text(sql`slices.description`),
  '/group/id': integer(sql`slices.group_id`),
  '/properties/*': property(sql`slices.properties`),
  '/set_state': text(sql`slices.set_state`),
  '/instance_sn': integer(sql`slices.instance_sn`),
  '/sliver_defaults/instance_sn': integer(sql`slices.default_instance_sn`),
  '/sliver_defaults/set_state': text(sql`slices.default_set_state`),
  '/sliver_defaults/data_sha256': text(sql`slices.default_data_sha256`),
  '/sliver_defaults/template/id': integer(sql`slices.default_template_id`),
  '/sliver_defaults/template_version': integer(sql`slices.default_template_version`),
  '/slivers/_/id': sliverOf('slice'),
}

const sliverColumns: FilterColumns = {
  '/id': (value) => {
    const at = typeof value === 'string' ? parseSliverId(value) : null
    if (at === null) return sql<boolean>`false`
    return sql<boolean>`slivers.slice_id = ${at.sliceId} and slivers.node_id = ${at.nodeId}`
  },
  '/slice/id': integer(sql`slivers.slice_id`),
  '/node/id': integer(sql`slivers.node_id`),
  '/node/name': text(sql`nodes.name`),
  '/description': text(sql`slivers.description`),
  '/properties/*': property(sql`slivers.properties`),
  '/set_state': text(sql`slivers.set_state`),
  '/state': text(sql`slivers.state`),
  '/instance_sn': integer(sql`slivers.instance_sn`),
  '/template/id': integer(sql`slices.default_template_id`),
  '/data_sha256': text(sql`slivers.data_sha256`),
  '/template_version': integer(sql`slices.default_template_version`),
}

/** Select a column of the version that a template shows, see `defaultVersion`. */
function shownVersion(column: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`select ${column} from template_versions as shown
    where shown.template_id = templates.id order by is_public desc, version desc limit 1`
}

const templateColumns: FilterColumns = {
  '/id': integer(sql`templates.id`),
  '/name': text(sql`templates.name`),
  '/description': text(sql`templates.description`),
  '/type': text(sql`templates.type`),
  '/is_active': boolean(sql`templates.is_active`),
  '/group': object(sql`templates.group_id`),
  '/group/id': integer(sql`templates.group_id`),
  '/is_public': boolean(sql`templates.is_public`),
  '/version': integer(sql`(${shownVersion(sql`version`)})`),
  '/image_sha256': text(sql`(${shownVersion(sql`image_sha256`)})`),
  '/node_archs/_': (value) =>
    typeof value === 'string'
      ? sql<boolean>`${value} = any(templates.node_archs)`
      : sql<boolean>`false`,
}
