import { brokenAfterNodes, templateName } from '@community-lab/contract'
import { sql } from 'kysely'
import { dayMs } from '../../domain/day.ts'
import {
  daysSince,
  endToldDays,
  endToTell,
  offlineToldDays,
  safeToldDays,
  type Fact,
} from '../../domain/notification.ts'
import { timeOf } from '../../mail/messages.ts'
import { brokenVersions } from './broken-images.ts'
import type { Db } from './selection.ts'

/** A fact, and the user who is told of it. */
export interface UserFact extends Fact {
  readonly userId: number
}

/** Read what is true now, for each user whom it concerns and who wants to be told. Disabled users, and those without an address, are told nothing. */
export async function readFacts(db: Db, now: Date): Promise<readonly UserFact[]> {
  const [ends, offline, safe, requests, images] = [
    await readEnds(db, now),
    await readOffline(db, now),
    await readSafe(db, now),
    await readWaiting(db),
    await readBroken(db),
  ]
  return [...ends, ...offline, ...safe, ...requests, ...images]
}

/** The users who are told: those who have an address and want this kind. */
const listeners = (kind: Fact['kind']) =>
  sql`users.is_active and users.email is not null and not ${kind}::text = any(users.muted)`

/** The slice admins of a slice's group: they can renew it. */
async function readEnds(db: Db, now: Date): Promise<readonly UserFact[]> {
  const { rows } = await sql<{
    user_id: number
    id: number
    name: string
    group: string
    end: Date
  }>`
    select users.id as user_id, slices.id, slices.name, groups.name as "group", slices.expires_on as end
    from slices join groups on groups.id = slices.group_id
      join group_roles on group_roles.group_id = groups.id and (is_group_admin or is_slice_admin)
      join users on users.id = group_roles.user_id
    where slices.expires_on > ${now} and slices.expires_on < ${daysFrom(now, endToldDays)}
      and ${listeners('slice_end')}
    order by slices.expires_on, slices.id`.execute(db)
  return rows.flatMap(({ user_id: userId, id, name, group, end }) => {
    const days = endToTell(end, now)
    if (days === null) return []
    return {
      userId,
      kind: 'slice_end',
      key: `slice ${id} ends ${end.toISOString()} ${days}`,
      text: `slice ${name} of group ${group} ends on ${timeOf(end)}; to keep it: community-lab slice renew ${name}`,
    }
  })
}

/** The node admins of a node's group. */
async function readOffline(db: Db, now: Date): Promise<readonly UserFact[]> {
  const { rows } = await sql<NodeRow>`
    select users.id as user_id, nodes.id, nodes.name, groups.name as "group", node_states.began_on as since
    from nodes join node_states on node_states.node_id = nodes.id and node_states.ended_on is null
      ${nodeAdmins}
    where nodes.state = 'offline' and node_states.began_on <= ${daysFrom(now, -offlineToldDays)}
      and ${listeners('node_offline')}
    order by nodes.id`.execute(db)
  return rows.map(({ user_id: userId, id, name, group, since }) => ({
    userId,
    kind: 'node_offline',
    key: `node ${id} offline`,
    text: `node ${name} of group ${group} has been offline for ${daysSince(since, now)}, since ${timeOf(since)}`,
  }))
}

/** A node that is in `safe`, and has not been in production since a time. It may have been offline in between. */
async function readSafe(db: Db, now: Date): Promise<readonly UserFact[]> {
  const { rows } = await sql<NodeRow>`
    select users.id as user_id, nodes.id, nodes.name, groups.name as "group", lasting.since
    from nodes
      cross join lateral (
        select coalesce(max(case when state = 'production' then coalesce(ended_on, ${now}) end), min(began_on)) as since
        from node_states where node_states.node_id = nodes.id) as lasting
      ${nodeAdmins}
    where nodes.set_state = 'safe' and nodes.state = 'safe' and lasting.since <= ${daysFrom(now, -safeToldDays)}
      and ${listeners('node_safe')}
    order by nodes.id`.execute(db)
  return rows.map(({ user_id: userId, id, name, group, since }) => ({
    userId,
    kind: 'node_safe',
    key: `node ${id} safe`,
    text: `node ${name} of group ${group} has been in safe for ${daysSince(since, now)}, since ${timeOf(since)}; to let slivers run: community-lab node set-state ${name} production`,
  }))
}

/** Who wants to join is decided by the group's admins, nodes and slices by operators. */
async function readWaiting(db: Db): Promise<readonly UserFact[]> {
  const { rows } = await sql<RequestRow>`
    select users.id as user_id, requests.id, requests.kind, asker.name as asker, groups.name as "group",
      requests.created_on as since
    from requests join groups on groups.id = requests.group_id
      join users as asker on asker.id = requests.user_id
      join users on case when requests.kind = 'join'
        then exists (select from group_roles where group_roles.group_id = groups.id
          and group_roles.user_id = users.id and is_group_admin)
        else users.is_superuser end
    where requests.state = 'pending' and ${listeners('request_waiting')}
    order by requests.id`.execute(db)
  return rows.map(({ user_id: userId, id, kind, asker, group, since }) => ({
    userId,
    kind: 'request_waiting',
    key: `request ${id}`,
    text: `request ${id} of ${asker} since ${timeOf(since)}: ${kind === 'join' ? `to join group ${group}` : `to allow group ${group} ${kind === 'allow_nodes' ? 'nodes' : 'slices'}`}; community-lab request accept ${id}, or request refuse ${id}`,
  }))
}

/** The most of what a node said of an image that a mail repeats, in characters: as HTML, each can be six, and a mail has a bound. */
const mostSaid = 100

function shorten(message: string): string {
  return message.length <= mostSaid ? message : `${message.slice(0, mostSaid).toWellFormed()}…`
}

/** The group admins of a template's group; operators for those of nobody. */
async function readBroken(db: Db): Promise<readonly UserFact[]> {
  const { rows } = await sql<{
    user_id: number
    id: number
    name: string
    version: number
    nodes: number
    message: string
  }>`
    select users.id as user_id, templates.id, templates.name, broken.version, broken.nodes, broken.message
    from ${brokenVersions} as broken
      join template_versions on template_versions.template_id = broken.template_id
        and template_versions.version = broken.version and not has_run
      join templates on templates.id = broken.template_id
      join users on case when templates.group_id is null then users.is_superuser
        else exists (select from group_roles where group_roles.group_id = templates.group_id
          and group_roles.user_id = users.id and is_group_admin) end
    where broken.nodes >= ${brokenAfterNodes} and ${listeners('image_broken')}
    order by templates.id, broken.version`.execute(db)
  return rows.map(({ user_id: userId, id, name, version, nodes, message }) => ({
    userId,
    kind: 'image_broken',
    key: `template ${id} version ${version} broken`,
    text: `the image ${templateName(name, version)} cannot be unpacked by ${nodes} nodes, and is sent to no other: ${shorten(message)}`,
  }))
}

interface NodeRow {
  readonly user_id: number
  readonly id: number
  readonly name: string
  readonly group: string
  readonly since: Date
}

interface RequestRow {
  readonly user_id: number
  readonly id: number
  readonly kind: string
  readonly asker: string
  readonly group: string
  readonly since: Date
}

const nodeAdmins = sql`join groups on groups.id = nodes.group_id
  join group_roles on group_roles.group_id = groups.id and (is_group_admin or is_node_admin)
  join users on users.id = group_roles.user_id`

function daysFrom(now: Date, days: number): Date {
  return new Date(now.getTime() + days * dayMs)
}
