import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { path, routes } from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { python, runChecks, type CheckResult } from '../../../support/python-checks.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

const converter = resolve(import.meta.dirname, '../../../support/confine_orm.py')

/** The first user, who is in the first group alone. Both have the same name, as the client's own tests expect. */
const operator = 'operator'
const password = 'a bicycle on the roof'

let folder: string
let testbeds: Testbeds
let world: TestbedWorld
let results: readonly CheckResult[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-confine-orm-'))
  await promisify(execFile)(python, [converter, folder])
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
  const first = path(routes.group, { id: 1 })
  await world.ask(world.operator, 'PATCH', first, { body: { name: operator } })
  for (const id of [1, 2]) {
    const url = path(routes.userChangeAuth, { id })
    await world.ask(world.operator, 'POST', url, { body: { password } })
  }
  const site = await world.app.listen({ host: '127.0.0.1', port: 0 })
  results = await runChecks({
    folder: join(import.meta.dirname, 'orm'),
    modules: [
      'test_client',
      ...['api', 'files', 'managers', 'resources'].map((name) => `orm.tests.test_${name}`),
    ],
    env: {
      PYTHONPATH: folder,
      CONFINE_SERVER_API: `${site}${routes.base}`,
      CONFINE_USER: operator,
      CONFINE_PASSWORD: password,
    },
  })
})

afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

it('lets the users of CONFINE’s client do what they do', () => {
  const own = results.filter(({ module }) => module === 'test_client')
  expect(own.length).toBeGreaterThan(12)
  expect(own.filter(({ outcome }) => outcome !== 'passed')).toEqual([])
})

/** The client's own tests that fail. It is older than the API of CONFINE's last controller, by which most of them fail, too. */
const failing: Readonly<Record<string, string>> = {
  'test_api test_self_retrieve':
    'the root has more than three members, also in CONFINE’s last controller',
  'test_api test_retrieve_base':
    'it compares lists, such as testbed_resources, by their identity; they are there also in CONFINE’s last controller',
  'test_managers test_register':
    'it knows the relations of before by name: server/node-list, not registry/node-list',
  'test_files test_file_handler': 'it downloads the image of a template that it has removed',
  'test_files test_save_after_upload_file':
    'a new group has no nodes until operators allow it, also those of operators',
  'test_resources test_save': 'arch and mgmt_net of a node have defaults',
  'test_resources test_serialize':
    'references have an id besides their uri, also in CONFINE’s last controller',
  'test_resources test_create':
    'the template of a slice is in sliver_defaults, also in CONFINE’s last controller',
  'test_resources test_retrieve':
    'the template of a slice is in sliver_defaults, also in CONFINE’s last controller',
}

it('passes the tests of CONFINE’s client itself, but for those that expect another API', () => {
  const theirs = results.filter(({ module }) => module !== 'test_client')
  expect(theirs.length).toBe(34)
  const failed = theirs
    .filter(({ outcome }) => outcome !== 'passed')
    .map(({ module, check, detail }) => ({
      name: `${module.replace('orm.tests.', '')} ${check}`,
      detail,
    }))
  expect(failed.filter(({ name }) => !(name in failing))).toEqual([])
  expect(failed.map(({ name }) => name).sort()).toEqual(Object.keys(failing).sort())
})
