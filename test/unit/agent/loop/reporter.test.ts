import type { NodeReport } from '@community-lab/contract'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createReporter, type Reporter } from '../../../../agent/src/loop/reporter.ts'
import { createTestClock, type TestClock } from './clock.ts'

let clock: TestClock
let reporter: Reporter
let ending: AbortController
let ended: Promise<void>
let state: number
let isAway: boolean
/** Whether deliveries get no answer, because the network is down. */
let isDown: boolean
/** What was told, and when. */
let told: { readonly state: number; readonly atMs: number }[]

/** A report that says how often the node was told to reboot. */
function aReport(state: number): NodeReport {
  return {
    state: 'production',
    soft_version: '0.1.0',
    arch: 'x86_64',
    boot_sn: state,
    public_prefix: null,
    capabilities: { runtime: 'crun', limits: true, userns: true, lacks: [] },
    resources: [],
    errors: [],
    slivers: [],
  }
}

beforeEach(() => {
  clock = createTestClock()
  ending = new AbortController()
  state = 0
  isAway = false
  isDown = false
  told = []
  reporter = createReporter({
    makeReport: () => Promise.resolve(aReport(state)),
    putReport(report, signal) {
      if (isDown)
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
        })
      if (isAway) return Promise.reject(new Error('the server is away'))
      told.push({ state: report.boot_sn, atMs: clock.nowMs() })
      return Promise.resolve(`etag-${told.length}`)
    },
    longestWaitMs: 60_000,
    clock,
    log: pino({ level: 'silent' }),
  })
  ended = reporter.run(ending.signal)
})

afterEach(async () => {
  ending.abort()
  await ended
})

it('tells the steps of a sliver with its end', async () => {
  for (const ms of [0, 100, 200]) {
    state += 1
    if (ms < 200) reporter.noteStep()
    else reporter.reportSoon()
    await clock.pass(100)
  }
  expect(told).toEqual([{ state: 3, atMs: 200 }])
})

it('tells a step by itself when the next takes longer than a second', async () => {
  state = 1
  reporter.noteStep()
  await clock.pass(999)
  expect(told).toEqual([])
  await clock.pass(1)
  expect(told).toEqual([{ state: 1, atMs: 1_000 }])
})

it('tells a change at once, but two of them not closer than 50 ms', async () => {
  for (let change = 1; change <= 3; change++) {
    state = change
    reporter.reportSoon()
    await clock.pass(20)
  }
  await clock.pass(100)
  expect(told).toEqual([
    { state: 1, atMs: 0 },
    { state: 3, atMs: 50 },
  ])
})

it('tells nothing twice, except to a server that was not heard of meanwhile', async () => {
  reporter.reportSoon()
  await clock.pass(100)
  reporter.reportSoon()
  await clock.pass(5_000)
  expect(told).toHaveLength(1)
  reporter.noteContact(false)
  await clock.pass(1_000)
  expect(told).toHaveLength(2)
})

it('tries again later each time while the server is away, and at once when it is heard of', async () => {
  isAway = true
  state = 1
  reporter.reportSoon()
  await clock.pass(10_000)
  isAway = false
  reporter.noteContact(false)
  await clock.pass(0)
  expect(told).toEqual([{ state: 1, atMs: 10_000 }])
})

it('does not report again what the server says it has', async () => {
  reporter.reportSoon()
  await clock.pass(0)
  expect(reporter.etag).toBe('etag-1')
  reporter.noteContact(true)
  await clock.pass(10_000)
  expect(told).toEqual([{ state: 0, atMs: 0 }])
  reporter.noteContact(false)
  await clock.pass(10_000)
  expect(told).toHaveLength(2)
})

it('tells at once what it could not deliver when the network is back, and waits for no answer from before', async () => {
  isDown = true
  state = 1
  reporter.reportSoon()
  await clock.pass(10_000)
  isDown = false
  reporter.restart()
  await clock.pass(50)
  expect(told).toEqual([{ state: 1, atMs: 10_050 }])
})
