import { sql } from 'kysely'

/**
 * Which versions of templates nodes could not unpack, by how many nodes, and what the first of them said. Of a public version, the nodes of one group count as
 * one: otherwise a group with two nodes could take the version from everybody.
 */
export const brokenVersions = sql<{
  template_id: number
  version: number
  nodes: number
  message: string
}>`(
  select template_id, version,
    (case when template_versions.is_public then count(distinct nodes.group_id) else count(*) end)::int as nodes,
    (array_agg(message order by reported_on))[1] as message
  from broken_images join template_versions using (template_id, version) join nodes on nodes.id = node_id
  group by template_id, version, template_versions.is_public)`
