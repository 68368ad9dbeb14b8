import { LabError } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import { createTurns, type TurnClock, type TurnLimits } from '../../../../server/src/http/turns.ts'

/** A clock that stands still until it is set. */
function createClock(): TurnClock & { pass(ms: number): void } {
  let nowMs = 0
  let alarms: { readonly atMs: number; readonly callback: () => void }[] = []
  return {
    nowMs: () => nowMs,
    after: (ms, callback) => void alarms.push({ atMs: nowMs + ms, callback }),
    pass(ms) {
      nowMs += ms
      const due = alarms.filter(({ atMs }) => atMs <= nowMs)
      alarms = alarms.filter(({ atMs }) => atMs > nowMs)
      for (const { callback } of due) callback()
    },
  }
}

const limits: TurnLimits = { atOnce: 1, restShare: 0, waitingOfOne: 3, waiting: 5 }
const forever = new AbortController().signal

/** Take turns. `begun` has who had one, in order; `end` ends the present one. */
function start(changes: Partial<TurnLimits> = {}, clock = createClock()) {
  const turns = createTurns({ ...limits, ...changes }, clock)
  const begun: string[] = []
  const ends: (() => void)[] = []
  return {
    begun,
    take: (asker: string, signal = forever) =>
      turns.take(asker, signal).then((end) => {
        begun.push(asker)
        ends.push(end)
      }),
    async end() {
      ends.shift()?.()
      // The turn that was waiting begins.
      await Promise.resolve().then(() => undefined)
    },
  }
}

describe('turns', () => {
  it('are taken at once, so many at the same time', async () => {
    const { begun, take, end } = start({ atOnce: 2 })
    await take('a')
    await take('a')
    void take('b')
    await end()
    expect(begun).toEqual(['a', 'a', 'b'])
  })

  it('go from one asker to the next, however many requests each has', async () => {
    const { begun, take, end } = start({ waiting: 10 })
    await take('many')
    for (const asker of ['many', 'many', 'many', 'few', 'other', 'few']) void take(asker)
    for (let turn = 0; turn < 6; turn++) await end()
    expect(begun).toEqual(['many', 'many', 'few', 'other', 'many', 'few', 'many'])
  })

  it('are refused when too many of one asker wait, or of all', async () => {
    const { take } = start()
    await take('a')
    const waits = ['a', 'a', 'a'].map((asker) => take(asker))
    const refused = (error: unknown): boolean => LabError.is(error, 'LAB_SERVER_BUSY')
    await expect(take('a')).rejects.toSatisfy(refused)
    waits.push(take('b'), take('c'))
    await expect(take('d')).rejects.toSatisfy(refused)
    expect(waits).toHaveLength(5)
  })

  it('rest as long as their work took, so that others have half of the time', async () => {
    const clock = createClock()
    const { begun, take, end } = start({ restShare: 1 }, clock)
    await take('a')
    void take('b')
    clock.pass(200)
    await end()
    clock.pass(199)
    expect(begun).toEqual(['a'])
    clock.pass(1)
    await end()
    expect(begun).toEqual(['a', 'b'])
  })

  it('are not given to who has gone, and end once however often that is said', async () => {
    const turns = createTurns(limits, createClock())
    const end = await turns.take('a', forever)
    const gone = new AbortController()
    const waits = turns.take('b', gone.signal)
    const next = turns.take('c', forever)
    gone.abort(new Error('gone'))
    await expect(waits).rejects.toThrow('gone')
    end()
    end()
    await next
    await expect(turns.take('d', AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  })
})
