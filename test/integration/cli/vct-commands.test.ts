import { expect, it } from 'vitest'
import { useFakes } from './world/fakes.ts'
import { vctStatus } from './world/vct-status.ts'

const fakes = useFakes()

it('cuts a virtual node off by the control socket, and shows how things are then', async () => {
  fakes.control.post('/nodes/n1/cut', () => vctStatus)
  await fakes.listen()
  const { code, out } = await fakes.place.run(['vct', 'node', 'n1', 'cut'])
  expect(code).toBe(0)
  expect(out).toMatch(/n1 +on +cut +0 +77/u)
  expect(out).toContain('no cgroups here')
})

it('restores a link between two nodes', async () => {
  fakes.control.post('/links/n1/n2/restore', () => vctStatus)
  await fakes.listen()
  const { code } = await fakes.place.run(['vct', 'link', 'n1', 'n2', 'restore', '--json'])
  expect(code).toBe(0)
  expect(fakes.asked).toHaveLength(1)
})

it('sets the clock of a node, also back', async () => {
  fakes.control.post('/nodes/n1/clock/-20.5/50', () => vctStatus)
  await fakes.listen()
  const { code, err } = await fakes.place.run(['vct', 'clock', 'n1', '-20.5', '--drift', '50'])
  expect(err).toBe('')
  expect(code).toBe(0)
})

it.each([
  [['--clock', 'n2=soon'], 2, 'such as n2=+5'],
  [['--nodes', '3', '--clock', 'n4=5'], 1, 'the nodes are n1 to n3'],
])('does not start a testbed with the clock of %j', async (options, exitCode, found) => {
  await fakes.listen()
  const { code, err } = await fakes.place.run(['vct', 'up', ...options])
  expect(code).toBe(exitCode)
  expect(err).toContain(found)
  expect(fakes.asked).toHaveLength(0)
})

it('refuses an action that there is not, as a wrong command line', async () => {
  await fakes.listen()
  const { code, err } = await fakes.place.run(['vct', 'node', 'n1', 'explode'])
  expect(code).toBe(2)
  expect(err).toContain('kill-agent')
  expect(fakes.asked).toHaveLength(0)
})

it('says that no testbed runs, when its credentials have outlived it', async () => {
  await fakes.listen()
  await fakes.control.close()
  const { code, err } = await fakes.place.run(['vct', 'status'])
  expect(code).toBe(1)
  expect(err).toContain('[LAB_VCT_NOT_RUNNING]')
})
