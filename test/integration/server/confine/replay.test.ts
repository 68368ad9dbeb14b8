import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDatabaseServer, startWorld, type DatabaseServer, type World } from '../world/world.ts'
import { differences } from './differences.ts'
import { readExchanges } from './exchange.ts'
import { replay, type Outcome } from './replay.ts'

let server: DatabaseServer
let world: World
let outcomes: readonly Outcome[]

beforeAll(async () => {
  server = await startDatabaseServer('embedded')
  world = await startWorld({ databaseUrl: await server.create() })
  outcomes = await replay(world, readExchanges())
})

afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

it('answers CONFINE’s recorded requests as CONFINE does, but for the listed differences', () => {
  const unlisted = outcomes.flatMap(({ exchange: { name }, differences: found }) =>
    found
      .filter((one) => !differences.some(({ of, is }) => of.test(name) && is.test(one)))
      .map((one) => `${name}: ${one}`),
  )
  expect(unlisted).toEqual([])
})

it('has no listed difference that is none any more', () => {
  const found = outcomes.flatMap(({ exchange: { name }, differences: all }) =>
    all.map((is) => ({ name, is })),
  )
  const stale = differences.filter(
    ({ of, is }) => !found.some((one) => of.test(one.name) && is.test(one.is)),
  )
  expect(stale.map(({ of, is }) => `${of.source}: ${is.source}`)).toEqual([])
})

it('agrees with CONFINE in as many exchanges as its readers are told', () => {
  const agreeing = outcomes.filter((each) => each.differences.length === 0).length
  const told = readFileSync(new URL('../../../../server/CONFINE-API.md', import.meta.url), 'utf8')
  expect(told).toContain(`${agreeing} of ${outcomes.length} exchanges`)
})
