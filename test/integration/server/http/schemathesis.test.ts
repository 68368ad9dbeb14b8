import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { acceptOf, routes } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { schemathesis } from '../../../support/python-checks.ts'
import { startParties, type AskerName, type PartiesWorld } from '../access/parties.ts'
import { startTestbeds, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
let parties: PartiesWorld
let site: string
let folder: string
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  parties = await startParties(testbeds)
  site = await parties.world.app.listen({ host: '127.0.0.1', port: 0 })
  folder = await mkdtemp(join(tmpdir(), 'cl-schemathesis-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await parties.world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

/** What each answer must be: no failure of the server, and as the document describes it. */
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
]

/** Streams have no end, and this server has no gateway to the management network, so it is not healthy. */
const leftOut = ['/events/$', '/rows$', '/ctl/stream$', '/ctl/ssh$', '^/health$'].join('|')

/** With `npm run test:all`, each member of each request is also given values at its bounds. That takes a minute for each asker. */
const isThorough = process.env['COMMUNITY_LAB_TEST_WAYS'] === 'all'

/** What schemathesis found. */
interface Found {
  /** The number of requests. */
  readonly requests: number
  /** Its report, when an answer was not as it must be. */
  readonly failures: string
}

/** Send requests that the OpenAPI document allows, and some that it does not, always the same ones. */
async function fuzz(asker: AskerName): Promise<Found> {
  const token = parties.tokens[asker]
  const headers = [
    `Accept: ${acceptOf()}`,
    ...(token === null ? [] : [`Authorization: Bearer ${token}`]),
  ]
  const options = [
    ['--url', site],
    ...headers.map((header) => ['-H', header]),
    ['--checks', checks.join(',')],
    ['--phases', isThorough ? 'coverage,fuzzing' : 'fuzzing'],
    ['--max-examples', isThorough ? '20' : '2'],
    ['--exclude-path-regex', leftOut],
    ['--seed', '1', '--generation-deterministic'],
    ['--continue-on-failure', '--no-shrink', '--warnings', 'off'],
  ].flat()
  const run = promisify(execFile)(
    schemathesis,
    ['--no-color', 'run', `${site}${routes.docs}/json`, ...options],
    { cwd: folder, maxBuffer: 64 * 2 ** 20 },
  )
  const report = await run.then(
    ({ stdout }) => ({ text: stdout, failures: '' }),
    (error: unknown) => {
      const text =
        error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error)
      return { text, failures: text }
    },
  )
  return {
    requests: Number(/(\d+) generated/u.exec(report.text)?.[1] ?? 0),
    failures: report.failures,
  }
}

/** The requests that an asker sends at least: one that is allowed and one that is not, to most of a hundred operations. */
const leastRequests = 150

/** Everything that the registry has, but for the times at which tokens were used and at which the server ran. */
async function readRegistry(): Promise<unknown> {
  const { rows } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_name not in ('tokens', 'server_runs') order by 1`.execute(
    parties.world.database.db,
  )
  const tables = rows.map(
    ({ name }) => sql`
    select ${name} as name, coalesce(md5(string_agg(each::text, ',' order by each::text)), '') as rows
    from ${sql.id(name)} as each`,
  )
  return (await sql`${sql.join(tables, sql` union all `)}`.execute(parties.world.database.db)).rows
}

describe('requests as the OpenAPI document describes them, and others', () => {
  it.each(['anonymous', 'reading operator'] as const)(
    'are answered as it says to %s, and change nothing',
    async (asker) => {
      const before = await readRegistry()
      const { failures, requests } = await fuzz(asker)
      expect(failures).toBe('')
      expect(requests).toBeGreaterThan(leastRequests)
      expect(await readRegistry()).toEqual(before)
    },
  )

  it.each(['node', 'outsider', 'group admin', 'operator'] as const)(
    'are answered as it says to %s',
    async (asker) => {
      const { failures, requests } = await fuzz(asker)
      expect(failures).toBe('')
      expect(requests).toBeGreaterThan(leastRequests)
    },
  )
})
