import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type Lab } from '@community-lab/kernel'
import { LabError, path, routes, Sliver } from '@community-lab/contract'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'

let testbed: RunningTestbed
let lab: Lab

beforeAll(async () => {
  testbed = await startTestbed({ nodes: 1 })
  lab = connect(testbed.credentials)
})

afterAll(async () => {
  await lab.close()
  await testbed[Symbol.asyncDispose]()
})

/** The image as the server keeps it. */
async function imageFile(): Promise<string> {
  const folder = join(testbed.home, 'vct/server')
  const names = await readdir(folder, { recursive: true })
  const [name] = names.filter((each) => /[0-9a-f]{64}\.tar\.gz$/u.test(each))
  if (name === undefined) throw new Error('the server keeps no image')
  return join(folder, name)
}

async function readSliver(id: string): Promise<Sliver> {
  const answer = await fetch(testbed.credentials.url + path(routes.sliver, { id }))
  const document: unknown = await answer.json()
  if (!Value.Check(Sliver, document)) throw new Error('no sliver')
  return document
}

it('refuses a template that was corrupted on its way, says so at the right field, and goes on once it is whole', async () => {
  const file = await imageFile()
  const whole = await readFile(file)
  const corrupted = Buffer.from(whole)
  const middle = corrupted.length >> 1
  corrupted.writeUInt8(corrupted.readUInt8(middle) ^ 1, middle)
  await writeFile(file, corrupted)

  const slice = await lab.slices.ensure('corrupt', { template: 'tiny', nodes: ['n1'] })
  const failure = await slice.started().then(
    () => null,
    (error: unknown) => error,
  )
  expect(LabError.is(failure, 'LAB_SLICE_FAILED')).toBe(true)
  const id = slice.slivers[0]?.id ?? ''
  const { state, errors, actual } = await readSliver(id)
  expect(state).toBe('fail_allocate')
  const [first] = [...(actual?.errors ?? []), ...errors]
  expect(first?.member).toBe('/template/image_sha256')
  expect(first?.message).toMatch(/[0-9a-f]{16}/u)

  await writeFile(file, whole)
  await testbed.sliverIs(id, 'started')
  const results = await (await slice.refresh()).sh`true`
  expect(results.ok).toBe(true)
})
