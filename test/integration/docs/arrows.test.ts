import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, expect, it } from 'vitest'

const checkout = resolve(import.meta.dirname, '../../..')
const folder = await mkdtemp(join(tmpdir(), 'cl-arrows-'))

/** What there is to import, built: the packages' folders, their names, and the files that their package.json lead to. */
const packages = [
  ['server/contract', 'contract', 'dist/index.d.ts'],
  ['server', 'server', 'dist/gateway/main.js'],
  ['server/vct', 'vct', 'dist/index.d.ts'],
  ['agent', 'agent', 'dist/main.js'],
  ['extension', 'jupyterlab', 'lib/index.js'],
] as const

/** Make a workspace as npm links it, with the real package.json of each package. */
beforeAll(async () => {
  await mkdir(join(folder, 'node_modules/@community-lab'), { recursive: true })
  for (const [path, name, entry] of packages) {
    await write(join(path, entry), 'export const value = 1\n')
    await cp(join(checkout, path, 'package.json'), join(folder, path, 'package.json'))
    await symlink(join(folder, path), join(folder, 'node_modules/@community-lab', name))
  }
  await write('server/contract/host/dist/index.d.ts', 'export const value = 1\n')
  await write('server/contract/host/dist/index.js', 'export const value = 1\n')
  await write('agent/src/main.ts', 'export const value = 1\n')
  await write('agent/src/sliver/slivers.ts', 'export const value = 1\n')
  await write('node_modules/circular/index.js', "import './other.js'\n")
  await write('node_modules/circular/other.js', "import './index.js'\n")
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, file)), { recursive: true })
  await writeFile(join(folder, file), text)
}

/** What `npm run check:arrows` says of a file with this import. */
async function check(file: string, imported: string): Promise<string> {
  await write(file, `import '${imported}'\n`)
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      join(checkout, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs'),
      ...['--config', join(checkout, '.dependency-cruiser.cjs'), file],
    ],
    { cwd: folder, encoding: 'utf8' },
  )
  return stdout + stderr
}

it.for([
  ['../../agent/src/main.ts', 'agent/src/main.ts'],
  ['@community-lab/agent/main', 'agent/dist/main.js'],
  ['@community-lab/server/gateway', 'server/dist/gateway/main.js'],
  ['@community-lab/vct', 'server/vct/dist/index.d.ts'],
  ['@community-lab/jupyterlab', 'extension/lib/index.js'],
] as const)('the kernel may not import %s', async ([imported, file]) => {
  expect(await check('kernel/src/a.ts', imported)).toContain(
    `kernel-imports-only-the-contract: kernel/src/a.ts → ${file}`,
  )
})

it('the kernel may not import what is for hosts', async () => {
  expect(await check('kernel/src/a.ts', '@community-lab/contract/host')).toContain(
    'notebook-and-panel-do-without-the-host: kernel/src/a.ts → server/contract/host/dist/index',
  )
})

it('the agent’s planner may import nothing of its slivers', async () => {
  expect(await check('agent/src/plan/a.ts', '../sliver/slivers.ts')).toContain(
    'the-planner-knows-no-slivers: agent/src/plan/a.ts → agent/src/sliver/slivers.ts',
  )
})

it('the contract may import nothing of the house', async () => {
  expect(await check('server/contract/src/a.ts', '@community-lab/server/gateway')).toContain(
    'contract-imports-nothing-of-the-house: server/contract/src/a.ts → server/dist/gateway/main.js',
  )
})

it('the server’s registry may import nothing of its HTTP', async () => {
  await write('server/src/http/list.ts', 'export {}\n')
  expect(await check('server/src/registry/read/a.ts', '../../http/list.ts')).toContain(
    'the-registry-knows-no-http: server/src/registry/read/a.ts → server/src/http/list.ts',
  )
})

it('the kernel may import the contract', async () => {
  const said = await check('kernel/src/a.ts', '@community-lab/contract')
  expect(said).toContain('no dependency violations found (2 modules, 1 dependencies cruised)')
})

it('what others have made is not looked into', async () => {
  const said = await check('kernel/src/a.ts', 'circular')
  expect(said).toContain('no dependency violations found (2 modules, 1 dependencies cruised)')
})
