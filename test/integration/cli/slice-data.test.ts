import { join } from 'node:path'
import { routes, path, type Slice, type Sliver } from '@community-lab/contract'
import { packData } from '@community-lab/contract/files'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aSliverReport, startTestbeds, type Testbeds } from '../server/world/testbed.ts'
import { makePlace, type Place, type RunOptions } from './world/place.ts'

let testbeds: Testbeds
let place: Place
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  place = await makePlace()
})
afterAll(async () => {
  await place[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

it('gives a slice the data of a folder, or none, and makes again only the slivers that have other data', async () => {
  await using world = await testbeds.start()
  const url = await world.app.listen({ host: '127.0.0.1', port: 0 })
  const run = (args: readonly string[], options: RunOptions = {}) =>
    place.run(['slice', 'data', ...args], {
      env: { COMMUNITY_LAB_URL: url, COMMUNITY_LAB_TOKEN: world.red },
      ...options,
    })
  const body = { name: 'mine', template: 'tiny', nodes: ['n1', 'n2'] }
  await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
  const read = async () => (await world.ask(null, 'GET', routes.slivers)).json<Sliver[]>()
  const numbers = async () => (await read()).map(({ instance_sn: sn }) => sn)
  const dataNow = async () => {
    const answer = await world.ask(null, 'GET', path(routes.slice, { id: 1 }))
    return answer.json<Slice>().sliver_defaults.data_sha256 ?? null
  }
  /** Node n1 has made its sliver as it is wanted. */
  const make = async (data: string | null) => {
    const [sn = 0] = await numbers()
    const report = aSliverReport('1@1', { instance_sn: sn, data_sha256: data })
    await world.report(1, { slivers: [report] })
  }
  await place.write('input/srv/a', 'some')
  const folder = join(place.checkout, 'input')
  const { sha256 } = await packData(folder)
  const before = await numbers()

  const asked = await run(['mine', 'input'])
  expect([asked.code, asked.err]).toEqual([2, expect.stringContaining('give --yes')])
  expect(asked.err).toContain('makes its slivers again that do not have it (2)')
  expect((await run(['mine', 'input'], { answer: false })).code).not.toBe(0)
  expect([await dataNow(), await numbers()]).toEqual([null, before])
  expect(await run(['mine', 'input'], { answer: true })).toMatchObject({
    code: 0,
    out: `slice mine has data of SHA-256 ${sha256}; its slivers are made again (2)\n`,
  })
  expect([await dataNow(), await numbers()]).toEqual([sha256, before.map((sn) => sn + 1)])

  // The same again: n1 has made its sliver with it, of n2 nothing is known.
  await make(sha256)
  const again = await run(['mine', 'input', '--yes'])
  expect(again.out).toContain('its slivers are made again (1)')
  expect(await numbers()).toEqual(before.map((sn, index) => sn + 1 + index))

  const none = await run(['mine', '--none', '--yes', '--json'])
  expect(JSON.parse(none.out)).toMatchObject({ sliver_defaults: { data_sha256: null } })
  expect(await dataNow()).toBe(null)

  await place.write('words.txt', 'no archive')
  for (const [args, said] of [
    [['mine'], 'needs either a folder or an archive, or --none'],
    [['mine', 'input', '--none'], 'needs either a folder or an archive, or --none'],
    [['mine', 'words.txt', '--yes'], 'is neither a folder nor an archive'],
    [['mine', 'nowhere', '--yes'], 'nowhere'],
  ] as const)
    expect((await run(args)).err).toContain(said)
})
