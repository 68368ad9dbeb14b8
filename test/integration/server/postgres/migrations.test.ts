import { readFile } from 'node:fs/promises'
import {
  path,
  routes,
  type Group,
  type NodeTarget,
  type Slice,
  type Template,
  type User,
} from '@community-lab/contract'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDatabaseServer, startWorld, type DatabaseServer, type World } from '../world/world.ts'

/** Start a server on a database of before. */
async function open(server: DatabaseServer, file: string, statement = 'select'): Promise<World> {
  const databaseUrl = await server.create()
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const fixture = new URL(`../../../fixtures/registry-database/${file}`, import.meta.url)
  await client.query(await readFile(fixture, 'utf8'))
  await client.query(statement)
  await client.end()
  return startWorld({ databaseUrl })
}

let server: DatabaseServer
beforeAll(async () => {
  server = await startDatabaseServer('embedded')
})
afterAll(() => server[Symbol.asyncDispose]())

/** Secrets of the database's tokens; each opens nothing else. */
const tokens = {
  operator: 'clo_0mBCbCiGRxdaO3bCsUwVPR0ho6r2psJ37GcAWru0HuE',
  red: 'clr_uSacRTNJf1okhj9o8TqQRzg7ZqDm0sdr5zyRYnUJqSE',
  blue: 'clr_MIrcsec1x8AbYFe9QmbPz529jHpcH9LRoJeaWi_-7Lw',
  ada: 'clr_TEJ9aCU5IZIYetV82wa3addInFInn4hgtbDMh4-QxYU',
  grace: 'clr_qxvzSr8vThjeg1TyOxUMSpsSyfjxO6tZ6FqE8RbMADw',
  n1: 'cln_3PK0RSdNPsrieCpt0WqvuXtHuDrERJ3cHWym8MjjLUE',
} as const

describe('a database in which each user is in one group', () => {
  let world: World
  beforeAll(async () => {
    // Ada was an operator once, and her token for that has expired.
    const was = `insert into tokens (name, role, user_id, secret_sha256, expires_on)
      select 'old', 'operator', id, sha256('old'), now() - interval '1 day' from users where name = 'ada'`
    world = await open(server, 'one-group-each.sql', was)
  })
  afterAll(() => world[Symbol.asyncDispose]())
  const read = async <T>(url: string, token: string | null = tokens.operator) =>
    (await world.ask(token, 'GET', url)).json<T>()

  it('is refused with the reason where a newer server has changed it', async () => {
    const databaseUrl = await server.create()
    await (await startWorld({ databaseUrl }))[Symbol.asyncDispose]()
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    await client.query(`insert into kysely_migration values ('9999-later', 'later')`)
    await client.end()
    await expect(startWorld({ databaseUrl })).rejects.toMatchObject({
      code: 'LAB_DATABASE_UNUSABLE',
      message: expect.stringContaining('9999-later') as string,
    })
  })

  it('keeps its users in their groups: the first is its admin, all make slices', async () => {
    const groups = await read<Group[]>(routes.groups)
    const users = await read<User[]>(routes.users)
    const nameOf = (id: number) => users.find((user) => user.id === id)?.name
    const shown = groups.map(({ name, allow_nodes, allow_slices, user_roles }) => [
      name,
      { allow_nodes, allow_slices },
      user_roles.map(
        (role) => `${nameOf(role.user.id) ?? ''} ${role.is_group_admin} ${role.is_slice_admin}`,
      ),
    ])
    expect(shown).toEqual([
      ['community-lab', allows(true, true), ['operator true true', 'grace false true']],
      ['red', allows(false, true), ['red true true', 'ada false true']],
      ['blue', allows(false, true), ['blue true true']],
      ['ops', allows(true, true), ['linus true true']],
    ])
    const operators = users.filter((user) => user.is_superuser).map(({ name }) => name)
    expect(operators).toEqual(['operator', 'linus'])
    expect(users.every((user) => user.is_active)).toBe(true)
  })

  it('keeps what runs: slices, slivers, nodes in production and the SSH keys of slivers', async () => {
    expect(await read(routes.slices, null)).toMatchObject([
      {
        name: 'mine',
        set_state: 'start',
        group: { id: 2 },
        slivers: [{ id: '1@1' }, { id: '1@2' }],
      },
      { name: 'theirs', set_state: 'start', group: { id: 3 }, slivers: [{ id: '2@1' }] },
    ])
    expect(await read(routes.nodes, null)).toMatchObject([
      { name: 'n1', set_state: 'production', group: { id: 1 } },
      { name: 'n2', set_state: 'production', group: { id: 1 } },
      { name: 'n3', set_state: 'debug', group: { id: 1 } },
    ])
    const target = await read<NodeTarget>(path(routes.nodeTarget, { id: 1 }), tokens.n1)
    const keys = target.slivers.map((sliver) =>
      sliver.ssh_authorized_keys.map((key) => key.slice(-10)),
    )
    expect(keys).toEqual([['red@laptop', 'ada@laptop'], []])
  })

  it('lets every token do what it could, and a user’s no more than that', async () => {
    for (const [token, name] of [
      [tokens.red, 'mine'],
      [tokens.ada, 'mine'],
      [tokens.blue, 'theirs'],
    ] as const) {
      const body = { name, template: 'tiny', nodes: name === 'mine' ? ['n1', 'n2'] : ['n1'] }
      expect((await world.ask(token, 'PUT', routes.sliceEnsure, { body })).statusCode).toBe(200)
    }
    const body = { name: 'new', template: 'tiny', nodes: ['n2'] }
    const made = await world.ask(tokens.grace, 'PUT', routes.sliceEnsure, { body })
    expect(made.json()).toMatchObject({ slice: { group: { id: 1 } } })
    for (const token of [tokens.red, tokens.ada, tokens.blue, tokens.grace]) {
      const answer = await world.ask(token, 'POST', path(routes.nodeReboot, { id: 1 }))
      expect(answer.statusCode).toBe(403)
    }
    const reboot = await world.ask(tokens.operator, 'POST', path(routes.nodeReboot, { id: 1 }))
    expect(reboot.statusCode).toBe(202)
  })
})

describe('a database in which each template has one image', () => {
  const red = 'clr_4Zg8p-oV732uOeSe8af9Dgsb9PyzFoSt7IHD7yR-yTU'
  const n1 = 'cln_OFfXkG6_c37kT8g_CD88iJa8WeqVkawBrNtJhPXemHw'
  let world: World
  beforeAll(async () => {
    world = await open(server, 'one-image-each.sql')
  })
  afterAll(() => world[Symbol.asyncDispose]())

  it('keeps each image as version 1, public as its template was', async () => {
    const templates = (await world.ask(null, 'GET', routes.templates)).json<Template[]>()
    const shown = templates.map(({ name, is_public, version, image_size_bytes, versions = [] }) => [
      name,
      is_public,
      version,
      image_size_bytes,
      versions.map((each) => [each.version, each.is_public]),
    ])
    expect(shown).toEqual([
      ['tiny', true, 1, 38, [[1, true]]],
      ['own', false, 1, 26, [[1, false]]],
      ['empty', true, null, null, []],
    ])
    expect(templates[0]?.image_sha256).toMatch(/^[0-9a-f]{64}$/u)
  })

  it('keeps what each slice runs, by the image that it had', async () => {
    const slices = (await world.ask(null, 'GET', routes.slices)).json<Slice[]>()
    const shown = slices.map(({ name, sliver_defaults: defaults }) => [
      name,
      defaults.template?.id ?? null,
      defaults.template_version,
    ])
    expect(shown).toEqual([
      ['mine', 2, 1],
      ['theirs', 1, 1],
      ['planned', 3, null],
      ['bare', null, null],
    ])
    const target = await world.ask(n1, 'GET', path(routes.nodeTarget, { id: 1 }))
    const { slivers } = target.json<NodeTarget>()
    expect(slivers.map(({ template }) => template?.image_uri)).toEqual([
      '/api/templates/2/versions/1/image.tar.gz',
      '/api/templates/1/versions/1/image.tar.gz',
    ])
    const body = { name: 'mine', template: 'own', nodes: ['n1', 'n2'] }
    expect((await world.ask(red, 'PUT', routes.sliceEnsure, { body })).statusCode).toBe(200)
  })
})

function allows(nodes: boolean, slices: boolean) {
  return { allow_nodes: nodes, allow_slices: slices }
}
