import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tellRemovals } from '../../../../server/src/telemetry/domain/removal.ts'
import {
  dayUs,
  hourUs,
  isOver,
  nearPeriod,
  periodOf,
  planMerges,
  planRemovals,
  type SealedFile,
} from '../../../../server/src/telemetry/domain/sealing.ts'

const nowUs = Date.UTC(2026, 9, 15, 13, 20) * 1000
const anyTime = fc.oneof(
  fc.integer({ min: nowUs - 3 * dayUs, max: nowUs + 3 * dayUs }),
  fc.integer({ min: nowUs - 402 * dayUs, max: nowUs - 398 * dayUs }),
  fc.maxSafeNat(),
)

let files = 0
/** A sealed file with rows of the hour of a time. */
function aFile(
  timeUs: number,
  { rows = 100, bytes = 1000, fault = null, ...more }: Partial<SealedFile> = {},
): SealedFile {
  const period = more.period ?? periodOf(timeUs, nowUs)
  return {
    ...{
      scope: 'slice-1',
      name: 'rtt',
      file: `${++files}.parquet`,
      sha256: '',
      runs: [],
      nodes: [1],
    },
    ...{
      rows,
      bytes,
      fault,
      period,
      firstUs: timeUs,
      lastUs: timeUs,
      firstLanded: 1,
      lastLanded: 1,
    },
    columns: [],
    ...more,
  }
}
const someFiles = fc
  .array(
    fc.record({
      timeUs: anyTime,
      rows: fc.integer({ min: 1, max: 30_000_000 }),
      bytes: fc.integer({ min: 1, max: 600 * 1024 ** 2 }),
      isDamaged: fc.boolean(),
    }),
    { maxLength: 40 },
  )
  .map((all) =>
    all.map(({ timeUs, isDamaged, ...sizes }) =>
      aFile(timeUs, { ...sizes, fault: isDamaged ? 'is missing' : null }),
    ),
  )

describe('the period of a time', () => {
  it('contains it, is whole hours or a whole day (UTC), and is the same for all of its times', () => {
    fc.assert(
      fc.property(anyTime, (timeUs) => {
        const period = periodOf(timeUs, nowUs)
        expect(timeUs >= period.startUs && timeUs < period.endUs).toBe(true)
        if (period.kind === 'other') return
        const lengthUs = period.kind === 'hour' ? hourUs : dayUs
        expect([period.startUs % lengthUs, period.endUs - period.startUs]).toEqual([0, lengthUs])
        expect(periodOf(period.startUs, nowUs)).toEqual(period)
        expect(periodOf(period.endUs - 1, nowUs)).toEqual(period)
      }),
    )
  })

  it('is one of few: times that a wrong clock sends do not make a file each', () => {
    const { startUs, endUs } = nearPeriod(nowUs)
    expect(periodOf(startUs, nowUs).kind).toBe('day')
    expect(periodOf(endUs - 1, nowUs).kind).toBe('hour')
    for (const far of [0, startUs - 1, endUs, Number.MAX_SAFE_INTEGER - 1])
      expect(periodOf(far, nowUs).kind).toBe('other')
  })

  it('is over ten minutes after its end, and long before it begins: a wrong clock keeps no rows in the database', () => {
    const hour = Math.floor(nowUs / hourUs) * hourUs
    expect([hour - hourUs, hour].map((at) => isOver(at, nowUs))).toEqual([true, false])
    expect(isOver(hour - hourUs, hour + 599_999_999)).toBe(false)
    expect(isOver(nowUs + 2 * hourUs + 1, nowUs)).toBe(true)
  })
})

describe('what is merged', () => {
  it('is each file once at most, of one period, readable, and within the bounds of a file', () => {
    fc.assert(
      fc.property(someFiles, (all) => {
        const merges = planMerges(all, nowUs)
        const merged = merges.flatMap((merge) => merge.files)
        expect(new Set(merged).size).toBe(merged.length)
        for (const { files: together, period } of merges) {
          expect(together.length).toBeGreaterThan(1)
          const sum = (of: 'rows' | 'bytes') => together.reduce((all, file) => all + file[of], 0)
          expect(sum('rows')).toBeLessThanOrEqual(20_000_000)
          expect(sum('bytes')).toBeLessThanOrEqual(512 * 1024 ** 2)
          for (const file of together) {
            expect(file.fault).toBeNull()
            expect(file.firstUs >= period.startUs && file.lastUs < period.endUs).toBe(true)
          }
        }
      }),
    )
  })

  it('ends: what a merge has made is not merged again until more comes', () => {
    fc.assert(
      fc.property(someFiles, (all) => {
        const merges = planMerges(all, nowUs)
        const gone = new Set(merges.flatMap((merge) => merge.files))
        const made = merges.map(({ files: together, period }) => {
          const sum = (of: 'rows' | 'bytes') => together.reduce((all, file) => all + file[of], 0)
          const at = together.map((file) => file.firstUs)
          return aFile(Math.min(...at), { period, rows: sum('rows'), bytes: sum('bytes') })
        })
        expect(planMerges([...all.filter((file) => !gone.has(file)), ...made], nowUs)).toEqual([])
      }),
    )
  })

  it('is a day with a tenth of its rows late, and not with less', () => {
    const at = nowUs - 3 * dayUs
    const late = (rows: number) =>
      planMerges([aFile(at, { rows: 1000 }), aFile(at, { rows })], nowUs)
    expect([late(99), late(100)].map((merges) => merges.length)).toEqual([0, 1])
  })
})

describe('what is removed', () => {
  const bounds = fc.record({
    days: fc.integer({ min: 1, max: 500 }),
    bytes: fc.integer({ min: 1, max: 1024 ** 3 }),
  })

  it('leaves what is within the days and the bytes, of which the newest stay, and no more goes than must', () => {
    fc.assert(
      fc.property(someFiles, bounds, (all, { days, bytes }) => {
        const removals = planRemovals(all, { days, bytes, nowUs })
        const gone = new Set(removals.map(({ file }) => file))
        const left = all.filter((file) => !gone.has(file))
        const sizeOf = (some: readonly SealedFile[]) =>
          some.reduce((sum, file) => sum + file.bytes, 0)
        expect(sizeOf(left)).toBeLessThanOrEqual(bytes)
        for (const file of left) expect(file.lastUs).toBeGreaterThanOrEqual(nowUs - days * dayUs)
        const last = removals.at(-1)
        if (last?.reason === 'bytes') expect(sizeOf(left) + last.file.bytes).toBeGreaterThan(bytes)
        for (const { file, reason } of removals)
          if (reason === 'bytes')
            for (const kept of left) expect(kept.lastUs).toBeGreaterThanOrEqual(file.lastUs)
      }),
    )
  })

  it('is told by measurement and reason, with every row once', () => {
    fc.assert(
      fc.property(someFiles, bounds, (all, kept) => {
        const removals = planRemovals(all, { ...kept, nowUs }).filter(
          ({ file }) => file.lastUs < 8e15,
        )
        const told = tellRemovals(removals, { ...kept, except: 'dropped' })
        expect(told.length).toBeLessThanOrEqual(2)
        const rows = removals.reduce((sum, { file }) => sum + file.rows, 0)
        expect(told.reduce((sum, { lines }) => sum + lines, 0)).toBe(rows)
      }),
    )
  })

  it('says what, from when to when, and why; what tells it is not told itself', () => {
    const old = [
      aFile(nowUs - 800 * dayUs),
      aFile(nowUs - 790 * dayUs),
      aFile(nowUs, { name: 'dropped' }),
    ]
    const removals = old.map((file) => ({ file, reason: 'age' as const }))
    expect(tellRemovals(removals, { days: 730, bytes: 16 * 1024 ** 3, except: 'dropped' })).toEqual(
      [
        {
          lines: 200,
          reason:
            'removed by the server: rtt from 2024-08-06T13:20:00.000Z to 2024-08-16T13:20:00.000Z; rows are kept for 730 days',
        },
      ],
    )
  })
})
