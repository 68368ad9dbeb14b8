import { describe, expect, it } from 'vitest'
import { createQuotaBook } from '../../../../server/src/telemetry/domain/quota.ts'
import { createNodeRates } from '../../../../server/src/stream/rate.ts'

const hourUs = 3_600_000_000

/** A sample of a slice. */
function aSample(timeUs = 0, scope = 'slice-3', text = '') {
  return { seq: 1, timeUs, scope, name: 'log', sliver: '3@1', fields: { text } }
}

describe('what a slice may store of an hour', () => {
  it('is bounded by rows, for each hour and slice, and nodes’ own are not counted', () => {
    const book = createQuotaBook({ rowsPerHour: 2, bytesPerHour: 1e9 })
    expect([book.admit(aSample()), book.admit(aSample(1))]).toEqual([null, null])
    expect(book.admit(aSample(2))).toMatch(/slice-3 has 2 samples of this hour already/u)
    expect(book.admit(aSample(hourUs))).toBeNull()
    expect(book.admit(aSample(2, 'slice-4'))).toBeNull()
    expect(book.admit(aSample(2, 'node'))).toBeNull()
  })

  it('is bounded by bytes', () => {
    const book = createQuotaBook({ rowsPerHour: 1e9, bytesPerHour: 1000 })
    expect(book.admit(aSample(0, 'slice-3', 'x'.repeat(1000)))).toBeNull()
    expect(book.admit(aSample())).toMatch(/1000 bytes/u)
  })

  it('counts nothing that was not stored', () => {
    const book = createQuotaBook({ rowsPerHour: 1, bytesPerHour: 1e9 })
    expect(book.admit(aSample())).toBeNull()
    book.settle(false)
    expect(book.admit(aSample())).toBeNull()
    book.settle(true)
    expect(book.admit(aSample())).not.toBeNull()
  })

  it('keeps room for how the runs of a slice have ended, also when their output has filled its own, which has an end too', () => {
    const book = createQuotaBook({ rowsPerHour: 20, bytesPerHour: 1e9 })
    const admit = (name: string) => book.admit({ ...aSample(), name }) === null
    for (let index = 0; index < 20; index++) expect(admit('tick')).toBe(true)
    const names = ['tick', 'run_end', 'run_output', 'run_end', 'run_output']
    expect(names.map(admit)).toEqual([false, true, true, true, false])
  })
})

describe('what a node may bring', () => {
  it('may come at once up to a bound, and then as fast as it is allowed', () => {
    let nowMs = 0
    const rates = createNodeRates({ bytesPerHour: 3_600_000, burstBytes: 500 }, () => nowMs)
    expect(rates.take(1, 500)).toBe(0)
    expect(rates.take(1, 100)).toBe(100)
    expect(rates.take(2, 100)).toBe(0)
    nowMs = 300
    expect(rates.take(1, 100)).toBe(0)
  })
})
