import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { ensureCertificate } from '../../../../server/src/tls/certificate.ts'

const folders: string[] = []

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cl-certificate-'))
  folders.push(folder)
  return folder
}

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

it('is made once and read from then on', async () => {
  const dir = await makeFolder()
  const made = await ensureCertificate(dir)
  expect(await ensureCertificate(dir)).toEqual(made)
})

it.each<[string, (dir: string, other: string) => Promise<void>]>([
  ['a damaged certificate', (dir) => writeFile(join(dir, 'cert.pem'), 'x')],
  ['an empty key', (dir) => writeFile(join(dir, 'key.pem'), '')],
  ['no key', (dir) => rm(join(dir, 'key.pem'))],
  [
    'the key of another certificate',
    async (dir, other) => writeFile(join(dir, 'key.pem'), await readFile(join(other, 'key.pem'))),
  ],
])('refuses %s, and names its file and what to do', async (_name, damage) => {
  const [dir, other] = [await makeFolder(), await makeFolder()]
  await ensureCertificate(dir)
  await ensureCertificate(other)
  await damage(dir, other)
  await expect(ensureCertificate(dir)).rejects.toMatchObject({
    code: 'LAB_CONFIG_INVALID',
    message: expect.stringMatching(/\/(?:cert|key)\.pem.*enrol every node again/u) as unknown,
  })
})
