import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Bundle } from '../../../../kernel/src/display/bundle.ts'
import { Plot } from '../../../../kernel/src/display/plot.ts'
import { drawLive } from '../../../../kernel/src/run/live.ts'

const displaySymbol = Symbol.for('community-lab.display')
/** The outputs of the cell, each with what it has shown one after the other. */
let outputs: Bundle[][] = []
/** Called after each change of an output. */
let onUpdate: () => void = () => undefined

beforeEach(() => {
  outputs = []
  onUpdate = () => undefined
  Reflect.set(globalThis, displaySymbol, {
    display: (bundle: Bundle) => outputs.push([bundle]),
    newDisplay() {
      const shown: Bundle[] = []
      outputs.push(shown)
      return {
        update(bundle: Bundle) {
          shown.push(bundle)
          onUpdate()
        },
      }
    },
  })
})
afterEach(() => void Reflect.deleteProperty(globalThis, displaySymbol))

const texts = () => outputs.map((shown) => shown.map((bundle) => bundle['text/plain']))
const row = (n: number) => ({ time: new Date(n * 1000), n })

async function* count(from: number, to: number) {
  for (let n = from; n <= to; n++) yield await Promise.resolve(row(n))
}

const numbers = (rows: readonly { readonly n: number }[]) => rows.map(({ n }) => n).join(' ')

describe('live rows', () => {
  it('are drawn in one output, which says that there are none yet, and keeps the last drawing', async () => {
    await drawLive(() => count(1, 3), numbers, {})
    expect(texts()).toEqual([['no rows yet', '1 2 3']])
  })

  it('that never came leave a word', async () => {
    await drawLive(() => count(1, 0), numbers, {})
    expect(texts()).toEqual([['no rows yet', 'no rows']])
  })

  it('are drawn at most twice a second, and only when there are more', async () => {
    const times: number[] = []
    await drawLive(
      async function* () {
        for (let n = 1; n <= 3; n++) {
          const drawn = new Promise<void>((resolve) => (onUpdate = resolve))
          yield row(n)
          await drawn
        }
      },
      (rows) => {
        times.push(performance.now())
        return numbers(rows)
      },
      {},
    )
    expect(texts()).toEqual([['no rows yet', '1', '1 2', '1 2 3']])
    // Timers of Node may be a millisecond early.
    for (const [index, time] of times.slice(1).entries())
      expect(time - (times[index] ?? 0)).toBeGreaterThanOrEqual(498)
  })

  it('are bounded by a number and by a time', async () => {
    let most = 0
    const draw = (rows: readonly { readonly n: number }[]) => {
      most = Math.max(most, rows.length)
      return `${rows.at(0)?.n} to ${rows.at(-1)?.n}`
    }
    await drawLive(() => count(1, 5000), draw, { windowRows: 100 })
    expect(texts().at(-1)?.at(-1)).toBe('4901 to 5000')
    expect(most).toBeLessThanOrEqual(100)
    await drawLive(() => count(1, 50), draw, { windowMs: 10_000 })
    expect(texts().at(-1)?.at(-1)).toBe('40 to 50')
  })

  it('that are interrupted leave the picture of what had come', async () => {
    const interrupt = new DOMException('the cell was interrupted', 'AbortError')
    const drawing = drawLive(
      async function* () {
        yield* count(1, 2)
        throw interrupt
      },
      numbers,
      {},
    )
    await expect(drawing).rejects.toBe(interrupt)
    expect(texts()).toEqual([['no rows yet', '1 2']])
  })

  it('are read no more when they cannot be drawn', async () => {
    let reason: unknown
    const drawing = drawLive(
      async function* (signal) {
        yield row(1)
        await new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => {
            reason = signal.reason
            reject(signal.reason as Error)
          }),
        )
      },
      () => {
        throw new Error('no such column')
      },
      {},
    )
    await expect(drawing).rejects.toThrow('no such column')
    expect(reason).toMatchObject({ message: 'no such column' })
    const empty = drawLive(
      () => count(1, 1),
      () => undefined,
      {},
    )
    await expect(empty).rejects.toThrow('(rows) => Plot.plot(…), without braces')
  })

  it('become a figure of Plot', async () => {
    const draw = (rows: object[]) => Plot.plot({ marks: [Plot.dot(rows, { x: 'time', y: 'n' })] })
    await drawLive(() => count(1, 20), draw, {})
    const [figure] = outputs[0]?.slice(-1) ?? []
    expect(figure?.['image/svg+xml'] ?? figure?.['text/html']).toContain('<circle')
  })
})
