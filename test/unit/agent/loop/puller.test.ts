import { LabError } from '@community-lab/contract'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createPuller, type Puller } from '../../../../agent/src/loop/puller.ts'
import { createTestClock, type TestClock } from './clock.ts'

let clock: TestClock
let puller: Puller
let ending: AbortController
let ended: Promise<void>
let asked: string[]
/** What the stream tells; null: it is not open. */
let seen: { target: boolean; report: boolean } | null
let reportsKnown: boolean[]
/** Whether the server reads nothing from the stream, because it is busy. */
let isStreamHeld: boolean
/** How the next request fails; null: it does not. */
let failure: Error | null

beforeEach(() => {
  clock = createTestClock()
  ending = new AbortController()
  asked = []
  seen = null
  reportsKnown = []
  isStreamHeld = false
  failure = null
  puller = createPuller({
    poll(etag) {
      asked.push(`look ${etag}`)
      return isStreamHeld ? new Promise(() => undefined) : Promise.resolve(seen)
    },
    getTarget(etag) {
      asked.push(`get ${etag}`)
      return failure === null ? Promise.resolve({ changed: false }) : Promise.reject(failure)
    },
    etag: '"1"',
    pollMs: 60_000,
    clock,
    log: pino({ level: 'silent' }),
    onTarget: () => Promise.resolve(),
    onContact: (isReportKnown) => void reportsKnown.push(isReportKnown),
  })
  ended = puller.run(ending.signal)
})

afterEach(async () => {
  ending.abort()
  await ended
})

it('asks over the stream first, and fetches what has changed', async () => {
  await clock.pass(0)
  expect(asked.splice(0)).toEqual(['look "1"', 'get "1"'])
  seen = { target: true, report: true }
  await clock.pass(60_000)
  expect(asked.splice(0)).toEqual(['look "1"'])
  seen = { target: false, report: true }
  await clock.pass(60_000)
  expect(asked.splice(0)).toEqual(['look "1"', 'get "1"'])
  expect(reportsKnown).toEqual([false, true, true])
})

it('fetches at once after a hint', async () => {
  await clock.pass(0)
  asked = []
  seen = { target: true, report: true }
  puller.hint()
  await clock.pass(0)
  expect(asked).toEqual(['get "1"'])
})

it('fetches at once after a hint also while a busy server does not answer over the stream', async () => {
  await clock.pass(0)
  isStreamHeld = true
  await clock.pass(60_000)
  asked = []
  puller.hint()
  await clock.pass(0)
  expect(asked[0]).toBe('get "1"')
})

it('comes again when a busy server asks for it, and not before', async () => {
  await clock.pass(0)
  asked = []
  failure = new LabError('LAB_SERVER_BUSY', { retryAfterS: 40 })
  puller.hint()
  await clock.pass(0)
  expect(asked.splice(0)).toEqual(['get "1"'])
  failure = null
  await clock.pass(39_999)
  expect(asked).toEqual([])
  await clock.pass(4_001)
  expect(asked.splice(0)).toEqual(['look "1"', 'get "1"'])
})
