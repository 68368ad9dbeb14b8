import fc from 'fast-check'
import { expect, it } from 'vitest'
import { cutOutput } from '../../../../agent/src/run/domain/output.ts'
import { parseState } from '../../../../agent/src/run/domain/state.ts'

const begun = 'supervisor 12 345 boot-id\nstarted 13 346\nbegun 1000000\n'

it('the state of a run is read up to the last complete line', () => {
  expect(parseState('')).toEqual({ supervisor: null, program: null, begunUs: null, end: null })
  const known = parseState(begun)
  expect(known).toMatchObject({ supervisor: { pid: 12, bootId: 'boot-id' }, begunUs: 1_000_000 })
  expect(parseState(`${begun}ended 2000000 3 - exited 10 0 1`)).toEqual(known)
  expect(parseState(`${begun}ended 2000000 3 - exited 10 0 1\n`).end).toEqual({
    ...{ timeUs: 2_000_000, exitCode: 3, signal: null, reason: 'exited', message: null },
    ...{ outputBytes: 10, lostBytes: 0, hasEndRow: true, killed: 0 },
  })
  expect(parseState(`${begun}ended 2000000 - 9 exited 10 0 1 2\n`).end?.killed).toBe(2)
  expect(parseState(`${begun}ended 2 - 9 limit 10 5 0\n`).end).toMatchObject({
    ...{ exitCode: null, signal: 9, reason: 'limit', lostBytes: 5, hasEndRow: false },
  })
  expect(parseState('failed no such runtime\n').end).toMatchObject({
    ...{ reason: 'failed', message: 'no such runtime', timeUs: null },
  })
})

it('a line of another form counts as absent', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const line = text.replaceAll('\n', ' ')
      fc.pre(!/^(?:supervisor|started|begun|ended|failed) /u.test(`${line} `))
      expect(parseState(`${begun}${line}\n`)).toEqual(parseState(begun))
    }),
  )
})

it('output is cut into rows without loss, wherever it is read, and text stays text', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 9000 }),
    fc.string({ unit: 'binary', maxLength: 5000 }).map((text) => new TextEncoder().encode(text)),
  )
  fc.assert(
    fc.property(bytes, fc.integer({ min: 4, max: 5000 }), (all, step) => {
      let at = 0
      const parts: Uint8Array[] = []
      while (at < all.length) {
        const part = all.subarray(at, at + step)
        const isLast = at + part.length >= all.length
        const cut = cutOutput('r', part, { atByte: at, isLast })
        for (const row of cut.rows) {
          expect(row.at_byte).toBe(parts.reduce((sum, one) => sum + one.length, 0))
          const content = row.text ?? row.base64 ?? ''
          expect(content.length).toBeLessThanOrEqual(4096)
          parts.push(Buffer.from(content, row.text === undefined ? 'base64' : 'utf8'))
        }
        expect(cut.bytesRead).toBeGreaterThan(0)
        at += cut.bytesRead
      }
      expect(Buffer.concat(parts)).toEqual(Buffer.from(all))
    }),
  )
  const text = new TextEncoder().encode('ü€𝄞'.repeat(2000))
  const { rows } = cutOutput('r', text, { atByte: 0, isLast: true })
  expect(rows.every((row) => row.text !== undefined)).toBe(true)
})
