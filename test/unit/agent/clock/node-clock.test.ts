import { beforeEach, expect, it } from 'vitest'
import {
  openNodeClock,
  type NodeClock,
  type NodeClockOptions,
} from '../../../../agent/src/clock/node-clock.ts'
import { nowUs } from '../../../../agent/src/measurement/sample.ts'
import type { Sample } from '../../../../agent/src/measurement/measurement.ts'

/** A host whose clocks the test moves, with a spool in memory. */
class Host {
  boot = 'boot-a'
  monotonic = 5_000_000
  ahead = 1_767_225_600_000_000
  /** How far the wall clock of programs is behind that of the node. */
  behind = 0
  isDiskFull = false
  readonly rows: Sample[] = []
  readonly bases: number[] = []
  readonly problems = new Map<string, string>()
  readonly #marks = new Map<string, unknown>()

  open(askUtc?: NodeClockOptions['askUtc']): NodeClock {
    return openNodeClock({
      askUtc,
      source: {
        rate: 1,
        aheadUs: 0,
        monotonicUs: () => (this.monotonic += 1),
        wallUs: () => Math.floor((this.monotonic + this.ahead) / 1000) * 1000,
        programWallUs: () => Math.floor((this.monotonic + this.ahead - this.behind) / 1000) * 1000,
      },
      bootId: this.boot,
      spool: {
        append: (samples, { marks = {} } = {}) => {
          this.rows.push(...samples)
          for (const [key, mark] of Object.entries(marks))
            this.#marks.set(key, JSON.parse(JSON.stringify(mark)))
          return true
        },
        mark: (key) => this.#marks.get(key),
      },
      problems: {
        set: (subject, { message }) => void this.problems.set(subject, message),
        clear: (subject) => void this.problems.delete(subject),
      },
      tellCatcher: (baseUs) => {
        if (!this.isDiskFull) this.bases.push(baseUs)
        return !this.isDiskFull
      },
    })
  }

  /** Exchange with a server whose clock is ahead of the host's monotonic clock. */
  exchange(clock: NodeClock, serverAhead: number): void {
    const sentUs = clock.monotonicUs()
    this.monotonic += 2_000
    const serverUs = Math.floor((this.monotonic + serverAhead) / 1000) * 1000
    this.monotonic += 3_000
    const answer = { type: 'time' as const, sent_us: sentUs, server_us: serverUs }
    clock.take({ ...answer, resolution_us: 1000 }, clock.monotonicUs())
  }

  get last(): Record<string, unknown> {
    return this.rows.at(-1)?.fields ?? {}
  }
}

let host: Host
beforeEach(() => {
  host = new Host()
})

it('tells at once that it does not know the offset, and then what it is', () => {
  const clock = host.open()
  expect(host.rows).toHaveLength(1)
  expect(host.last).toMatchObject({ epoch: 1, boot_id: 'boot-a' })
  expect(host.last).not.toHaveProperty('offset_s')
  expect(host.last).not.toHaveProperty('error_s')
  host.exchange(clock, host.ahead + 40_000_000)
  expect(host.rows).toHaveLength(2)
  const { offset_s: offset, error_s: error } = host.last
  expect(Math.abs(Number(offset) - 40)).toBeLessThanOrEqual(Number(error))
  expect(Number(error)).toBeLessThan(0.005)
  expect(host.last).toMatchObject({ source: 'server', epoch: 1 })
})

it('tells each minute, with a bound that has grown', () => {
  const clock = host.open()
  host.exchange(clock, host.ahead)
  const before = Number(host.last['error_s'])
  host.monotonic += 59_000_000
  clock.look()
  expect(host.rows).toHaveLength(2)
  host.monotonic += 1_000_000
  clock.look()
  expect(host.rows).toHaveLength(3)
  expect(Number(host.last['error_s']) - before).toBeCloseTo(60 * 500e-6, 4)
})

it('goes on through a step: the time of samples follows it forward, and never comes twice', () => {
  const clock = host.open()
  host.exchange(clock, host.ahead)
  let asked = 0
  clock.onNeed(() => asked++)
  const before = nowUs()
  host.ahead -= 30_000_000
  host.monotonic += 200_000
  clock.look()
  expect(host.last).toMatchObject({ epoch: 2, moved_s: 0 })
  expect(Number(host.last['step_s'])).toBeCloseTo(-30, 2)
  expect(Number(host.last['unsure_s'])).toBeCloseTo(0.2, 2)
  expect(Number(host.last['wall_s'])).toBeCloseTo(-30, 2)
  expect(host.last).not.toHaveProperty('offset_s')
  expect(asked).toBe(1)
  expect(nowUs() - before).toBeLessThan(210_000)
  host.ahead += 50_000_000
  clock.look()
  expect(host.last['epoch']).toBe(3)
  expect(Number(host.last['moved_s'])).toBeCloseTo(50, 2)
  expect((nowUs() - before) / 1e6).toBeCloseTo(50.2, 1)
  expect(host.bases).toHaveLength(2)
})

it('stays with its time when the catcher cannot be told of another one', () => {
  const clock = host.open()
  host.isDiskFull = true
  const before = nowUs()
  host.ahead += 50_000_000
  clock.look()
  expect(host.last['moved_s']).toBe(0)
  expect(nowUs() - before).toBeLessThan(1000)
})

it('goes on after a restart of the agent, and finds a step of the time between', () => {
  host.exchange(host.open(), host.ahead)
  const before = nowUs()
  host.monotonic += 10_000_000
  host.open()
  expect(host.last).toMatchObject({ epoch: 2, boot_id: 'boot-a' })
  expect(host.last).not.toHaveProperty('step_s')
  expect(nowUs() - before).toBeLessThan(10_001_000)
  host.monotonic += 10_000_000
  host.ahead -= 5_000_000
  host.open()
  expect(Number(host.last['step_s'])).toBeCloseTo(-5, 2)
  expect(Number(host.last['unsure_s'])).toBeCloseTo(10, 1)
})

it('begins with the wall clock in another boot', () => {
  host.open()
  host.boot = 'boot-b'
  host.monotonic = 1_000_000
  host.ahead += 100_000_000
  host.open()
  expect(host.last).toMatchObject({ boot_id: 'boot-b', epoch: 2 })
  expect(host.last).not.toHaveProperty('step_s')
  expect(Math.abs(nowUs() - host.monotonic - host.ahead)).toBeLessThan(1_100)
})

it('begins anew when an exchange contradicts what it knows', () => {
  const clock = host.open()
  host.exchange(clock, host.ahead)
  host.exchange(clock, host.ahead + 10_000_000)
  expect(host.last['epoch']).toBe(2)
  expect(Number(host.last['offset_s'])).toBeCloseTo(10, 1)
})

it('tells the operator of a wall clock that is wrong by more than a second, until it is right', () => {
  const clock = host.open()
  host.exchange(clock, host.ahead + 40_000_000)
  expect([...host.problems.values()]).toEqual([
    expect.stringMatching(
      /^the clock is (?:40\.00\d|39\.99\d) s behind the server's \(± 0\.00\d s\): set it/u,
    ),
  ])
  host.ahead += 40_000_000
  clock.look()
  host.exchange(clock, host.ahead)
  expect([...host.problems]).toEqual([])
})

it('knows the server’s time, when it will be another one, and what programs add to the clocks that they read', () => {
  const clock = host.open()
  expect(clock.serverTime()).toBeNull()
  expect(clock.monotonicAt(host.ahead)).toBeNull()
  expect(clock.programClock()).toBeNull()
  host.behind = 7_000_000
  const serverAhead = host.ahead + 40_000_000
  host.exchange(clock, serverAhead)
  const contains = (
    interval: { readonly lowUs: number; readonly highUs: number } | null | undefined,
    us: number,
  ): void => {
    expect(interval?.lowUs).toBeLessThanOrEqual(us)
    expect(interval?.highUs).toBeGreaterThanOrEqual(us)
    expect((interval?.highUs ?? 0) - (interval?.lowUs ?? 0)).toBeLessThan(80_000)
  }
  contains(clock.serverTime(), host.monotonic + serverAhead)
  const atUs = host.monotonic + 60_000_000
  contains(clock.monotonicAt(atUs + serverAhead), atUs)
  const program = clock.programClock()
  contains(program?.wallOffsetUs, 47_000_000)
  contains(program?.monotonicOffsetUs, serverAhead)
  // A step of the wall clock makes what is known worthless, until the next exchange.
  host.ahead += 50_000_000
  clock.look()
  expect(clock.serverTime()).toBeNull()
})

it('tells what is known of UTC beside it, until the clock is set', async () => {
  const clock = host.open(() => Promise.resolve({ offsetS: -0.02, errorS: 0.001 }))
  const stop = new AbortController()
  const running = clock.run(stop.signal)
  await Promise.resolve()
  host.monotonic += 60_000_000
  clock.look()
  expect(host.last).toMatchObject({ utc_offset_s: -0.02, utc_error_s: 0.001 })
  host.ahead += 50_000_000
  clock.look()
  expect(host.last).toHaveProperty('step_s')
  expect(host.last).not.toHaveProperty('utc_offset_s')
  stop.abort()
  await running
})
