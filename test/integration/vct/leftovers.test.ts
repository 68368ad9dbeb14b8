import process from 'node:process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ProgressLine } from '../../../server/vct/src/progress.ts'
import { makeTestHome, untilNothingIsLeft, type TestHome } from './world/launcher.ts'

let home: TestHome

beforeEach(async () => {
  home = await makeTestHome()
})
afterEach(() => home[Symbol.asyncDispose]())

const codeOf = (line: ProgressLine) => ('error' in line ? line.error.code : null)
const isError = (line: ProgressLine) => 'error' in line

const moments = [
  ['pod', 'start'],
  ['network', 'start'],
  ['network', 'done'],
  ['server', 'done'],
] as const

test.each(moments)('Ctrl-C at "%s: %s" leaves nothing behind', async (step, state) => {
  const launched = await home.up()
  await launched.step(step, state)
  const { pidNamespace } = await launched.pod()
  launched.kill('SIGINT')
  expect(await launched.ended).toBe('exit code 130')
  expect(await home.left(pidNamespace)).toEqual([])
})

test.each(moments)('a launcher killed at "%s: %s" leaves nothing behind', async (step, state) => {
  const launched = await home.up()
  await launched.step(step, state)
  const { pidNamespace } = await launched.pod()
  launched.kill('SIGKILL')
  await launched.ended
  expect(await untilNothingIsLeft(home, pidNamespace)).toEqual([])
})

test('a killed supervisor takes the pod with it, and the launcher says so', async () => {
  const launched = await home.up()
  await launched.step('network', 'done')
  const { pidNamespace, supervisorPid } = await launched.pod()
  process.kill(supervisorPid, 'SIGKILL')
  expect(codeOf(await launched.line(isError))).toBe('LAB_VCT_POD_ENDED')
  expect(await launched.ended).toBe('exit code 1')
  expect(await home.left(pidNamespace)).toEqual([])
})

test('down ends a testbed that is still starting, and settles when nothing is left', async () => {
  const launched = await home.up()
  await launched.step('network', 'start')
  const { pidNamespace } = await launched.pod()
  expect(await home.down().ended).toBe('exit code 0')
  expect(await home.left(pidNamespace)).toEqual([])
  expect(await launched.ended).toBe('exit code 130')
})

test('down where none runs says so and is content', async () => {
  const down = home.down()
  await down.line((line) => 'message' in line && line.message === 'none runs')
  expect(await down.ended).toBe('exit code 0')
})

test('a failure tells its reason and leaves nothing behind', async () => {
  const launched = await home.up()
  await launched.step('server', 'done')
  const { pidNamespace } = await launched.pod()
  expect(codeOf(await launched.line(isError))).toBe('LAB_REQUEST_MEDIA_TYPE')
  expect(await launched.ended).toBe('exit code 1')
  expect(await home.left(pidNamespace)).toEqual([])
})

test('a second testbed beside the first is refused and disturbs nothing', async () => {
  const first = await home.up()
  await first.step('pod', 'done')
  const second = await home.up()
  expect(codeOf(await second.line(isError))).toBe('LAB_VCT_RUNNING')
  await first.step('server', 'done')
  first.kill('SIGTERM')
  await first.ended
})

test('what is missing or taken is told before anything is started', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const address = other.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const busy = await home.up({ port })
  expect(codeOf(await busy.line(isError))).toBe('LAB_PORT_IN_USE')
  await busy.ended
  const bare = await home.up({ template: '/nowhere/tiny.tar.gz' })
  expect(codeOf(await bare.line(isError))).toBe('LAB_VCT_NO_TEMPLATE')
  await bare.ended
  other.close()
})
