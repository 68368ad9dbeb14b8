import { path, routes, type User } from '@community-lab/contract'
import { sql } from 'kysely'
import type { Asker } from '../../../../server/src/domain/asker.ts'
import { image, makeToken, type Testbeds, type TestbedWorld } from '../world/testbed.ts'

/** Everybody who may ask. The admins and the member are of group `red`; `node` is n1, which is red's. */
export const askers = [
  'anonymous',
  'node',
  'other node',
  'outsider',
  'admin of another group',
  'member',
  'slice admin',
  'node admin',
  'group admin',
  'reading group admin',
  'operator',
  'reading operator',
  'researcher’s token of an operator',
] as const
export type AskerName = (typeof askers)[number]

/** Objects that are made for one request. */
export type Spare =
  | 'member'
  | 'user'
  | 'token'
  | 'group'
  | 'request'
  | 'request for nodes'
  | 'node'
  | 'slice'
  | 'sliver'
  | 'run'
  | 'template'
  | 'server'
  | 'island'
  | 'host'

/** A testbed with a token for each asker, and what the table of rights is to know of them. */
export interface PartiesWorld {
  readonly world: TestbedWorld
  readonly tokens: Readonly<Record<AskerName, string | null>>
  readonly models: Readonly<Record<AskerName, Asker>>
  /** The user `member`, to whom spare tokens and requests belong. */
  readonly memberId: number
  /** Make an object of red's, or of `member`'s. Returns its id. */
  makeSpare(kind: Spare): Promise<string | number>
}

const red = 2
const roles = ['member', 'slice admin', 'node admin', 'group admin'] as const

/** Start it: red owns n1 and n2 and has the slice `mine` on n1. */
export async function startParties(testbeds: Testbeds): Promise<PartiesWorld> {
  const world = await testbeds.start()
  const { db } = world.database
  await sql`update nodes set group_id = ${red}`.execute(db)
  await sql`update groups set allow_nodes = true where id = ${red}`.execute(db)
  // Requests of one user to one group are made for many who decide them.
  await sql`drop index requests_pending`.execute(db)
  const ask = (body: object, url: string) => world.ask(world.operator, 'POST', url, { body })
  await ask({ text: 'Be kind.' }, routes.agreements)
  const spec = { name: 'mine', template: 'tiny', nodes: ['n1'] }
  await world.ask(world.red, 'PUT', routes.sliceEnsure, { body: spec })
  await world.ask(world.red, 'PUT', path(routes.sliceUploadData, { id: 1 }), {
    body: image,
    headers: { 'content-type': 'application/gzip' },
  })

  const ids = new Map<string, number>()
  const makeUser = async (name: string) => {
    const made = await ask({ name: name.replaceAll(' ', '-') }, routes.users)
    const { id } = made.json<User>()
    ids.set(name, id)
    return makeToken(world, world.operator, { name: 'its', user: name.replaceAll(' ', '-') })
  }
  const outsider = await makeUser('outsider')
  const tokenOf: Partial<Record<AskerName, string>> = {}
  for (const role of roles) {
    tokenOf[role] = await makeUser(role)
    await sql`insert into group_roles values (${red}, ${ids.get(role)}, ${role === 'group admin'},
      ${role === 'node admin'}, ${role === 'slice admin'})`.execute(db)
  }
  const reader = { name: 'reads', scope: 'read' }
  const tokens: PartiesWorld['tokens'] = {
    anonymous: null,
    node: world.nodes[0] ?? '',
    'other node': world.nodes[1] ?? '',
    outsider,
    'admin of another group': world.blue,
    member: tokenOf.member ?? '',
    'slice admin': tokenOf['slice admin'] ?? '',
    'node admin': tokenOf['node admin'] ?? '',
    'group admin': tokenOf['group admin'] ?? '',
    'reading group admin': await makeToken(world, tokenOf['group admin'] ?? '', reader),
    operator: world.operator,
    'reading operator': await makeToken(world, world.operator, { ...reader, role: 'operator' }),
    'researcher’s token of an operator': await makeToken(world, world.operator, { name: 'r' }),
  }

  const person = (name: string, groupId: number | null, role: (typeof roles)[number]): Asker => ({
    role: 'researcher',
    scope: 'all',
    userId: ids.get(name) ?? -1,
    nodeId: null,
    memberships:
      groupId === null
        ? []
        : [
            {
              groupId,
              isGroupAdmin: role === 'group admin',
              isNodeAdmin: role === 'node admin',
              isSliceAdmin: role === 'slice admin',
            },
          ],
  })
  const node = (nodeId: number): Asker => ({
    ...person('', null, 'member'),
    role: 'node',
    userId: null,
    nodeId,
  })
  const operator: Asker = { ...person('', 1, 'group admin'), role: 'operator' }
  const models: PartiesWorld['models'] = {
    anonymous: { ...person('', null, 'member'), role: 'anonymous', scope: 'read', userId: null },
    node: node(1),
    'other node': node(2),
    outsider: person('outsider', null, 'member'),
    'admin of another group': person('', 3, 'group admin'),
    member: person('member', red, 'member'),
    'slice admin': person('slice admin', red, 'slice admin'),
    'node admin': person('node admin', red, 'node admin'),
    'group admin': person('group admin', red, 'group admin'),
    'reading group admin': { ...person('group admin', red, 'group admin'), scope: 'read' },
    operator,
    'reading operator': { ...operator, scope: 'read' },
    'researcher’s token of an operator': { ...operator, role: 'researcher' },
  }
  const memberId = ids.get('member') ?? -1

  let made = 0
  async function insert(text: string, values: readonly unknown[] = []): Promise<number> {
    const parts = text.split('?')
    const query = sql<{ id: number }>`${sql.join(
      parts.flatMap((part, at) =>
        at < values.length ? [sql.raw(part), sql`${values[at]}`] : [sql.raw(part)],
      ),
      sql``,
    )} returning id`
    return (await query.execute(db)).rows[0]?.id ?? -1
  }
  const makeSlice = () =>
    insert(
      `insert into slices (name, description, group_id, expires_on, properties, set_state,
        default_set_state, default_resources)
       values (?, '', ${red}, '2099-01-01', '{}', 'start', 'start', '[]')`,
      [`spare${made}`],
    )
  const makeRequest = (kind: string, userId: number, groupId: number) =>
    insert(`insert into requests (kind, group_id, user_id, message) values (?, ?, ?, '')`, [
      kind,
      groupId,
      userId,
    ])
  return {
    world,
    tokens,
    models,
    memberId,
    async makeSpare(kind) {
      const name = `spare${++made}`
      switch (kind) {
        case 'member':
          return memberId
        case 'user':
          return insert(`insert into users (name, auth_tokens) values (?, '{}')`, [name])
        case 'token':
          return insert(
            `insert into tokens (name, role, user_id, secret_sha256)
             values ('x', 'researcher', ?, sha256(convert_to(?, 'UTF8')))`,
            [memberId, name],
          )
        case 'group': {
          const id = await insert(`insert into groups (name, description) values (?, '')`, [name])
          await sql`insert into group_roles select ${id}, user_id, is_group_admin, is_node_admin,
            is_slice_admin from group_roles where group_id = ${red}`.execute(db)
          return id
        }
        case 'request':
          return makeRequest('join', memberId, red)
        case 'request for nodes':
          return makeRequest('allow_nodes', memberId, red)
        case 'node':
          return insert(
            `insert into nodes (name, description, group_id, arch, properties, set_state, state)
             values (?, '', ${red}, 'x86_64', '{}', 'debug', 'unknown')`,
            [name],
          )
        case 'slice':
          return makeSlice()
        case 'sliver': {
          const slice = await makeSlice()
          await sql`insert into slivers (slice_id, node_id, description, properties, resources, state)
            values (${slice}, 1, '', '{}', '[]', 'unknown')`.execute(db)
          return `${slice}@1`
        }
        case 'run': {
          const id = `${name}-20260101T000000Z-000000000000`
          await sql`insert into runs (id, slice_id, name, programs)
            values (${id}, 1, ${name}, '[]')`.execute(db)
          return id
        }
        case 'server':
        case 'island':
          return insert(`insert into ${kind}s (name, description) values (?, '')`, [name])
        case 'host':
          return insert(`insert into hosts (name, description, owner_id) values (?, '', ?)`, [
            name,
            memberId,
          ])
        case 'template':
          return insert(
            `insert into templates (name, description, type, node_archs, is_active, is_public, group_id)
             values (?, '', 'debian', '{x86_64}', true, false, ${red})`,
            [name],
          )
      }
    },
  }
}
