import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { LabError } from '@community-lab/contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findHolder, takeLock } from '../../../server/vct/src/pod/lock.ts'

const node = resolve(import.meta.dirname, '../../../node_modules/.bin/node')
const mine = { state: 'running', url: 'http://127.0.0.1:1' } as const
let place: { readonly home: string; readonly hash: string }
let other: ChildProcess | null = null

beforeEach(() => {
  place = { home: '/home/ada/lab', hash: randomBytes(8).toString('hex') }
})
afterEach(() => {
  other?.kill('SIGKILL')
  other = null
})

async function holdElsewhere(state: 'running' | 'sweeping'): Promise<ChildProcess> {
  const main = join(import.meta.dirname, 'world/lock-process.ts')
  const child = spawn(node, [main, place.home, place.hash, state], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  other = child
  await once(child.stdout, 'data')
  return child
}

test('a second testbed of a home is refused, and told of the first', async () => {
  const { pid } = await holdElsewhere('running')
  const refused = await takeLock(place, mine).catch((error: unknown) => error)
  expect(LabError.is(refused, 'LAB_VCT_RUNNING')).toBe(true)
  expect(String(refused)).toContain(`runs already (process ${pid}); use it at http://x`)
})

test('the lock goes with its process, even when that is killed', async () => {
  const child = await holdElsewhere('running')
  const found = await findHolder(place.hash)
  child.kill('SIGKILL')
  await found?.released
  await using lock = await takeLock(place, mine)
  expect(lock.holder.state).toBe('running')
})

test('whoever comes while a killed testbed is swept waits for that', async () => {
  const child = await holdElsewhere('sweeping')
  let isTaken = false
  const taking = takeLock(place, mine).then((lock) => {
    isTaken = true
    return lock
  })
  const found = await findHolder(place.hash)
  expect(isTaken).toBe(false)
  child.kill('SIGKILL')
  await found?.released
  await using _lock = await taking
})

test('a lock let go can be taken again, and nobody holds it in between', async () => {
  const first = await takeLock(place, mine)
  await first[Symbol.asyncDispose]()
  expect(await findHolder(place.hash)).toBeNull()
  await using _second = await takeLock(place, mine)
})
