import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type Lab } from '@community-lab/kernel'
import { acceptOf, LabError, parseCredentials, routes } from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'

let testbed: RunningTestbed
let lab: Lab

beforeAll(async () => {
  testbed = await startTestbed({ nodes: 2 })
  lab = connect(testbed.credentials)
})

afterAll(async () => {
  await lab.close()
  await testbed[Symbol.asyncDispose]()
})

/** The error that something is refused with. */
async function refusal(attempt: Promise<unknown>): Promise<LabError> {
  try {
    await attempt
  } catch (error) {
    if (LabError.is(error)) return error
    throw error
  }
  throw new Error('it was not refused')
}

const slices = async () => {
  const answer = await fetch(`${testbed.credentials.url}/api/slices/`)
  return (await answer.json()) as unknown[]
}

it('refuses a wrong token and says where a right one comes from', async () => {
  const stranger = connect({ ...testbed.credentials, token: 'cl_researcher_wrong' })
  const error = await refusal(stranger.slices.ensure('x', { template: 'tiny', nodes: ['n1'] }))
  expect(error.code).toBe('LAB_AUTH_INVALID_TOKEN')
  expect(error.message).toContain('ask the operator')
  expect(error.message).not.toContain('cl_researcher_wrong')
  await stranger.close()
})

it('refuses a slice name with a newline', async () => {
  const error = await refusal(lab.slices.ensure('bad\nname', { template: 'tiny', nodes: ['n1'] }))
  expect(error.message).toContain('/name must be')
  expect(error.message).toContain('not "bad\\nname"')
})

it('names the template that was probably meant', async () => {
  const error = await refusal(lab.slices.ensure('x', { template: 'tinny', nodes: ['n1'] }))
  expect(error.code).toBe('LAB_SLICE_UNKNOWN_TEMPLATE')
  expect(error.message).toContain('did you mean "tiny"?')
})

it('names the node that was probably meant', async () => {
  const error = await refusal(lab.slices.ensure('x', { template: 'tiny', nodes: ['n1', 'm2'] }))
  expect(error.code).toBe('LAB_SLICE_UNKNOWN_NODE')
  expect(error.message).toMatch(/did you mean "n[12]"\?/u)
})

it('refuses more memory than any node has, with the largest there is', async () => {
  const error = await refusal(
    lab.slices.ensure('x', { template: 'tiny', nodes: ['n1'], memoryMiB: 10_000_000 }),
  )
  expect(error.code).toBe('LAB_SLICE_NO_CAPACITY')
  expect(error.message).toMatch(/largest free: \d+ MiB on n\d/u)
})

it('says who may when a slice is for a group that the researcher is not in', async () => {
  const options = { template: 'tiny', nodes: ['n1'], group: 'lenders' }
  const error = await refusal(lab.slices.ensure('x', options))
  expect(error.code).toBe('LAB_AUTH_FORBIDDEN')
  expect(error.message).toContain('the token of a group admin or slice admin of group lenders')
})

it('names the nodes and links that a virtual testbed has', async () => {
  const node = await refusal(lab.virtual().node('n9', 'cut'))
  expect(node.message).toBe('this virtual testbed has no node "n9"; it has n1, n2')
  const link = await refusal(lab.virtual().cutLink('n1', 'n3'))
  expect(link.message).toBe('this virtual testbed has no link "n1-n3"; it has n1-n2')
  expect([node.code, link.code]).toEqual(['LAB_VCT_UNKNOWN', 'LAB_VCT_UNKNOWN'])
})

it('has reserved nothing after all these refusals', async () => {
  expect(await slices()).toEqual([])
})

it('lets a stranger read the state of the testbed but no token, user key or measurement of a slice', async () => {
  const slice = await lab.slices.ensure('mine', { template: 'tiny', nodes: ['n1'] })
  const { url } = testbed.credentials
  const status = async (path: string) =>
    (await fetch(url + path, { headers: { accept: acceptOf() } })).status
  expect(await status('/api/nodes/')).toBe(200)
  expect(await status('/api/tokens/')).toBe(401)
  expect(await status('/api/nodes/1/ctl/target/')).toBe(401)
  expect(await status(`/api/measurements/slice-${slice.id}/rtt/parquet`)).toBe(401)
  await slice.release()
})

it('lets the owner of a node change it, and neither a researcher nor a student', async () => {
  const { url, token } = testbed.credentials
  const tokenIn = async (file: string) =>
    parseCredentials(file, await readFile(join(testbed.home, file), 'utf8')).token
  const owner = await tokenIn('credentials-owner.json')
  const student = await tokenIn('credentials-student.json')
  const change = async (method: string, as: string) =>
    (
      await fetch(`${url}/api/nodes/1/`, {
        method,
        headers: {
          authorization: `Bearer ${as}`,
          ...(method === 'DELETE' ? {} : { 'content-type': 'application/json' }),
        },
        body: method === 'DELETE' ? null : JSON.stringify({ description: 'mine' }),
      })
    ).status
  for (const method of ['PATCH', 'PUT', 'DELETE'])
    for (const as of [token, student])
      expect([method, await change(method, as)]).toEqual([method, 403])
  expect(await change('PATCH', owner)).toBe(200)
})

it('lets each person in by the name and password of their file, as CONFINE’s clients log in', async () => {
  const { url } = testbed.credentials
  for (const [file, username, role] of [
    ['credentials-operator.json', 'operator', 'operator'],
    ['credentials.json', 'researcher', 'researcher'],
    ['credentials-student.json', 'student', 'researcher'],
    ['credentials-owner.json', 'owner', 'researcher'],
  ] as const) {
    const text = await readFile(join(testbed.home, file), 'utf8')
    const { password } = JSON.parse(text) as { password: string }
    const answer = await fetch(url + routes.getAuthToken, {
      method: 'POST',
      body: new URLSearchParams({ username, password }),
    })
    const { token } = (await answer.json()) as { token: string }
    const headers = { authorization: `Token ${token}`, accept: acceptOf() }
    const who = await fetch(url + routes.whoami, { headers })
    expect(await who.json()).toMatchObject({ role, user: { name: username } })
  }
})
