import { expect, it } from 'vitest'
import { aNode } from '../../support/node-object.ts'
import { useFakes } from './world/fakes.ts'

const fakes = useFakes()

it("prints an enrolment token alone, so that it can be piped into a device's set-up", async () => {
  fakes.server.get('/api/nodes/', () => [aNode(3, 'n1')])
  fakes.server.post('/api/nodes/3/ctl/enrollment-token/', () => {
    return { token: 'clab1.abc', expires_on: '2026-01-01T00:00:00Z' }
  })
  await fakes.listen()
  const { out, err } = await fakes.place.run(['node', 'enroll-token', 'n1'])
  expect(out).toBe('clab1.abc\n')
  expect(err).toContain('2026-01-01')
})
