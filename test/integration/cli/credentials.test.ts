import { join } from 'node:path'
import { expect, it } from 'vitest'
import { useFakes } from './world/fakes.ts'

const fakes = useFakes()

it('says where credentials are looked for, when there are none or a file holds none', async () => {
  const env = { HOME: join(fakes.place.checkout, 'user') }
  const none = await fakes.place.run(['node', 'list'], { env })
  expect(none.code).toBe(1)
  expect(none.err).toContain('[LAB_CREDENTIALS_MISSING]')
  expect(none.err).toContain(join(fakes.place.home, 'credentials-operator.json'))
  expect(none.err).toContain('/user/.config/community-lab/credentials.json')
  await fakes.place.write('.community-lab/credentials.json', '{"url":')
  const bad = await fakes.place.run(['node', 'list'], { env })
  expect([bad.code, bad.err.includes('[LAB_CREDENTIALS_INVALID]')]).toEqual([1, true])
})

it("finds credentials as notebooks do: in the folder where it is run and those above, in the user's settings, then in this checkout", async () => {
  fakes.server.get('/api/slices/', () => [])
  const url = await fakes.listen()
  const tokenUsed = async (cwd: string) => {
    const env = { HOME: join(fakes.place.checkout, 'user') }
    await fakes.place.run(['slice', 'list'], { env, cwd })
    return fakes.asked.at(-1)?.token
  }
  const folder = join(fakes.place.checkout, '..')
  expect(await tokenUsed(folder)).toBe('Bearer of-the-operator')
  const settings = 'user/.config/community-lab/credentials.json'
  await fakes.place.write(settings, JSON.stringify({ url, token: 'of-the-settings' }))
  expect(await tokenUsed(folder)).toBe('Bearer of-the-settings')
  const near = 'project/.community-lab/credentials.json'
  const later = { url, token: 'of-the-project', written_by: 'a later version' }
  await fakes.place.write(near, JSON.stringify(later))
  expect(await tokenUsed(join(fakes.place.checkout, 'project/deep'))).toBe('Bearer of-the-project')
})

it('uses the testbed that the environment names', async () => {
  fakes.server.get('/api/slices/', () => [])
  const url = await fakes.listen()
  const env = { COMMUNITY_LAB_URL: url, COMMUNITY_LAB_TOKEN: 'mine' }
  const { out } = await fakes.place.run(['slice', 'list'], { env })
  expect(out).toContain('no slices yet')
  expect(fakes.asked[0]?.token).toBe('Bearer mine')
})

it('says what cannot be reached, and asks whether the testbed runs', async () => {
  const env = { COMMUNITY_LAB_URL: 'http://127.0.0.1:9', COMMUNITY_LAB_TOKEN: 'mine' }
  const { code, err } = await fakes.place.run(['node', 'list'], { env })
  expect(code).toBe(1)
  expect(err).toContain('http://127.0.0.1:9')
  expect(err).toContain('[LAB_CONNECTION_FAILED]')
})
