import fc from 'fast-check'
import { expect, it } from 'vitest'
import { splitLines, toSample } from '../../../../../agent/src/measurement/domain/line-samples.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const none = new Uint8Array()

it('finds the same lines however the bytes are cut', () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ''))
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(40)), (lines, cuts) => {
      const whole = bytesOf(lines.map((text) => `${text}\n`).join(''))
      const found: string[] = []
      let rest: Uint8Array = none
      for (let at = 0, cut = 0; at < whole.length; cut++) {
        const size = 1 + (cuts[cut % Math.max(1, cuts.length)] ?? 0)
        const split = splitLines(rest, whole.subarray(at, at + size))
        found.push(...split.lines.map(textOf))
        rest = split.rest
        at += size
      }
      expect([found, rest.length]).toEqual([lines, 0])
    }),
  )
})

it('keeps no more of an endless line than tells that it is too long', () => {
  let rest: Uint8Array = none
  for (let part = 0; part < 10; part++) rest = splitLines(rest, bytesOf('x'.repeat(1000))).rest
  expect(rest.length).toBe(4096)
  const { lines } = splitLines(rest, bytesOf('\n'))
  expect(lines.map((line) => toSample(line, 's@n1', 5))).toEqual([
    {
      time_us: 5,
      source: 's@n1',
      name: 'rejected',
      fields: { line: 'x'.repeat(4096), reason: 'longer than 4096 bytes; cut off there' },
    },
  ])
})

it('takes the longest line there may be', () => {
  const text = `note text="${'x'.repeat(4095 - 'note text=""'.length)}"`
  expect(toSample(bytesOf(text), 's@n1', 5)).toMatchObject({ name: 'note' })
})

it('keeps a line that cannot be read, with the reason', () => {
  expect(toSample(bytesOf('rtt rtt_s'), 's@n1', 5)).toEqual({
    time_us: 5,
    source: 's@n1',
    name: 'rejected',
    fields: { line: 'rtt rtt_s', reason: 'field "rtt_s" has no value' },
  })
})
