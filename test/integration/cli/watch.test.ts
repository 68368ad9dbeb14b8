import { path, routes } from '@community-lab/contract'
import { afterEach, beforeEach, afterAll, beforeAll, expect, it } from 'vitest'
import {
  makeToken,
  startTestbeds,
  type TestbedWorld,
  type Testbeds,
} from '../server/world/testbed.ts'
import { startWorld, type World } from '../server/world/world.ts'
import { makePlace, type Place, type RunResult } from './world/place.ts'

let testbeds: Testbeds
let place: Place
let world: TestbedWorld
let url: string
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  place = await makePlace()
})
afterAll(async () => {
  await place[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})
beforeEach(async () => {
  world = await testbeds.start()
  url = await world.app.listen({ host: '127.0.0.1', port: 0 })
})
afterEach(() => world[Symbol.asyncDispose]())

/** A command that goes on until it is interrupted. */
interface Watching {
  /** All that it has printed. */
  text(): string
  /** Wait until it has printed something. */
  shows(text: string | RegExp): Promise<void>
  /** Press Ctrl-C. */
  interrupt(): Promise<RunResult>
  readonly ended: Promise<RunResult>
}

function watch(token: string, args: readonly string[], isTTY = false): Watching {
  let printed = ''
  const stop = new AbortController()
  const ended = place.run([...args, '--watch'], {
    env: { COMMUNITY_LAB_URL: url, COMMUNITY_LAB_TOKEN: token },
    isTTY,
    signal: stop.signal,
    onText: (text) => (printed += text),
  })
  return {
    text: () => printed,
    shows: (text) => expect.poll(() => printed, { timeout: 60_000 }).toMatch(text),
    interrupt() {
      stop.abort()
      return ended
    },
    ended,
  }
}

const reboot = (server: Pick<World, 'ask'> = world) =>
  server.ask(world.operator, 'POST', path(routes.nodeReboot, { id: 1 }))

it('with --json prints the list, and then a document for each change, until Ctrl-C', async () => {
  const watching = watch(world.red, ['node', 'list', '--json'])
  await watching.shows(/^\[.*\]\n$/u)
  await reboot()
  await watching.shows('"action":"updated"')
  // What the list does not show is not told.
  await world.ask(world.operator, 'POST', routes.islands, { body: { name: 'valley' } })
  await reboot()
  await watching.shows('"boot_sn":2')
  const { code, out, err } = await watching.interrupt()
  expect([code, err]).toEqual([130, ''])
  const [list, ...changes] = out.trimEnd().split('\n')
  expect(JSON.parse(list ?? '')).toMatchObject([{ name: 'n1' }, { name: 'n2' }])
  expect(changes.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { kind: 'node', action: 'updated', object_id: '1', object: { boot_sn: 1 } },
    { kind: 'node', action: 'updated', object_id: '1', object: { boot_sn: 2 } },
  ])
})

it('draws a terminal again at each change, and leaves the last state there', async () => {
  const watching = watch(world.red, ['slice', 'list'], true)
  await watching.shows('no slices yet')
  const body = { name: 'first', template: 'tiny', nodes: ['n1'] }
  await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
  await watching.shows(/first +start +1/u)
  const { code, out, err } = await watching.interrupt()
  expect([code, err]).toEqual([130, ''])
  const [before, after] = out.split('\u001b[?1049l')
  expect(before).toMatch(/^\u001b\[\?1049h/u)
  expect(before).toContain('live; last change')
  expect(after).toMatch(/first +start +1 .*\n$/u)
})

it('survives a restart of the server, says so, and misses nothing', async () => {
  const watching = watch(world.red, ['node', 'list'])
  await watching.shows('n2')
  await world[Symbol.asyncDispose]()
  await watching.shows('note: the server is away')
  await using restarted = await startWorld({ databaseUrl: world.databaseUrl })
  // This change is made before anybody can hear of it.
  await reboot(restarted)
  await restarted.app.listen({ host: '127.0.0.1', port: Number(new URL(url).port) })
  await watching.shows('note: the server is back')
  await watching.shows('node n1 updated: production')
  expect((await watching.interrupt()).code).toBe(130)
})

it('shows one object and its parts until it is gone', async () => {
  const body = { name: 'first', template: 'tiny', nodes: ['n1'] }
  await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
  const watching = watch(world.red, ['slice', 'show', 'first'])
  await watching.shows(/1@1 +n1 +registered|1@1 +n1 +unknown/u)
  await world.ask(world.red, 'POST', path(routes.sliceReset, { id: 1 }))
  await watching.shows(/sliver 1@1 updated/u)
  await world.ask(world.red, 'DELETE', path(routes.slice, { id: 1 }))
  const { code, out, err } = await watching.ended
  expect(out).toContain('slice 1 deleted')
  expect([code, err]).toEqual([1, expect.stringContaining('[LAB_CLI_UNKNOWN_NAME]')])
})

it('shows a group admin each request to the group', async () => {
  await world.ask(world.operator, 'POST', routes.users, { body: { name: 'bob' } })
  const bob = await makeToken(world, world.operator, { name: 'x', user: 'bob' })
  const admin = watch(world.red, ['request', 'list'], true)
  const stranger = watch(world.blue, ['request', 'list', '--json'])
  await admin.shows('no requests')
  await stranger.shows('[]')
  const body = { kind: 'join', group: { id: 2 }, message: 'for the thesis' }
  await world.ask(bob, 'POST', routes.requests, { body })
  await admin.shows(/bob +join +red +pending +for the thesis/u)
  expect((await stranger.interrupt()).out).toBe('[]\n')
  await admin.interrupt()
})

it('ends with what the server says when it is refused', async () => {
  const watching = watch('clr_aaaaaaaaaaaaaaaaaaaaaaaaaaaaa', ['node', 'list'])
  const { code, err } = await watching.ended
  expect([code, err]).toEqual([1, expect.stringContaining('[LAB_AUTH_INVALID_TOKEN]')])
})
