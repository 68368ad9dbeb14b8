import { describe, expect, it } from 'vitest'
import { createIntake, type Intake } from '../../../../server/src/stream/intake.ts'

/** A stream that remembers whether it is read. */
function join(intake: Intake) {
  const state = { isRead: true }
  const part = intake.join({
    pause: () => (state.isRead = false),
    resume: () => (state.isRead = true),
  })
  const send = (bytes: number): (() => void) => {
    part.read(bytes)
    return part.take(bytes)
  }
  return Object.assign(state, part, { send })
}

const kib = 1024
const small = { maxBytes: 2048 * kib, maxStreamBytes: 1024 * kib, turnMs: 60_000 }

describe('what all streams hold together', () => {
  it('is bounded: who brings more waits until a commit makes room', () => {
    const intake = createIntake(small)
    const [one, two, three] = [join(intake), join(intake), join(intake)]
    const commitOne = one.send(1000 * kib)
    const commitTwo = two.send(1000 * kib)
    expect([one.isRead, two.isRead, three.isRead]).toEqual([true, true, true])
    three.read(64 * kib)
    one.read(64 * kib)
    expect([one.isRead, two.isRead, three.isRead]).toEqual([false, true, false])
    commitTwo()
    expect([one.isRead, two.isRead, three.isRead]).toEqual([true, true, true])
    commitOne()
    expect(intake.bytes).toBe(128 * kib)
  })

  it('has a bound for each: one waits for its own commit while others go on', () => {
    const intake = createIntake(small)
    const [one, two] = [join(intake), join(intake)]
    const commit = one.send(1024 * kib)
    two.send(10)()
    expect([one.isRead, two.isRead]).toEqual([false, true])
    commit()
    expect(one.isRead).toBe(true)
  })

  it('goes on, a few at a time, when many messages that are not whole fill it', () => {
    const intake = createIntake(small)
    const streams = Array.from({ length: 100 }, () => join(intake))
    for (const stream of streams) stream.read(64 * kib)
    const finished = new Set<(typeof streams)[number]>()
    let most = 0
    while (finished.size < streams.length) {
      const reading = streams.filter((each) => each.isRead && !finished.has(each))
      expect(reading.length).toBeGreaterThan(0)
      const commits = reading.map((stream) => {
        stream.read(64 * kib)
        finished.add(stream)
        return stream.take(128 * kib)
      })
      most = Math.max(most, intake.bytes)
      for (const commit of commits) commit()
    }
    // A read of each, what may wait, and the messages of those that have their turn.
    expect(most).toBeLessThanOrEqual(100 * 64 * kib + 2 * small.maxBytes)
    for (const stream of streams) stream.leave()
    expect(intake.bytes).toBe(0)
  })

  it('is nothing when all is committed, however messages were cut', () => {
    const intake = createIntake(small)
    const one = join(intake)
    for (let n = 0; n < 1_000; n++) {
      // Twelve bytes of headers with each message.
      one.read(7)
      one.read(55)
      one.take(50)()
    }
    expect(intake.bytes).toBeLessThanOrEqual(55)
  })

  it('is left where it is while the disk is full', () => {
    const intake = createIntake(small)
    const one = join(intake)
    intake.hold(true)
    const commit = one.send(10)
    expect(one.isRead).toBe(false)
    commit()
    expect(one.isRead).toBe(false)
    intake.hold(false)
    expect(one.isRead).toBe(true)
  })

  it('gives the next its turn when one runs out', async () => {
    const intake = createIntake({ ...small, turnMs: 1 })
    const streams = Array.from({ length: 20 }, () => join(intake))
    // Parts of messages fill it, and none becomes whole: a turn ends by time alone.
    for (const each of streams) each.read(300 * kib)
    await expect.poll(() => streams.filter(({ isRead }) => !isRead).length).toBe(0)
  })

  it('counts nothing of a message that is whole, whatever headers came with it', () => {
    const intake = createIntake(small)
    const streams = Array.from({ length: 100 }, () => join(intake))
    for (const stream of streams) {
      stream.read(60 * kib + 8)
      stream.take(60 * kib)()
    }
    expect(intake.bytes).toBe(0)
  })
})
