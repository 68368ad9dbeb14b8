import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  countLines,
  splitLines,
  toSample,
} from '../../../../../agent/src/measurement/domain/line-samples.ts'

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
      expect([found, rest.length]).toEqual([lines.filter((text) => text !== ''), 0])
    }),
  )
})

it('keeps no more of an endless line than tells that it is too long', () => {
  let rest: Uint8Array = none
  for (let part = 0; part < 10; part++) rest = splitLines(rest, bytesOf('x'.repeat(1000))).rest
  expect(rest.length).toBe(4096)
  const { lines } = splitLines(rest, bytesOf('\n'))
  expect(lines.map((line) => toSample(line, { source: 's@n1' }, 5))).toEqual([
    { sample: null, reason: 'longer than 4096 bytes; cut off there' },
  ])
})

it('takes the longest line there may be', () => {
  const text = `note text="${'x'.repeat(4095 - 'note text=""'.length)}"`
  expect(toSample(bytesOf(text), { source: 's@n1' }, 5)).toMatchObject({ sample: { name: 'note' } })
})

it('tells why a line cannot be read', () => {
  for (const name of ['run_output', 'run_end'])
    expect(toSample(bytesOf(`${name} run="a" at_byte=0`), { source: 's@n1' }, 5)).toEqual({
      sample: null,
      reason: `measurement name ${name} is reserved`,
    })
  expect(toSample(bytesOf('rtt rtt_s'), { source: 's@n1' }, 5)).toEqual({
    sample: null,
    reason: 'field "rtt_s" has no value',
  })
})

it('refuses bytes that are not UTF-8, which would become other characters', () => {
  const latin1 = Buffer.from('a place=caf\xe9', 'latin1')
  expect(toSample(latin1, { source: 's' }, 1)).toEqual({ sample: null, reason: 'it is not UTF-8' })
  const sample = toSample(Buffer.from('a place=caf\ufffd'), { source: 's' }, 1)
  expect(sample).toMatchObject({ sample: { fields: { place: 'caf\ufffd' } } })
})

it('splits no more lines than are wanted, and goes on behind them', () => {
  const bytes = bytesOf('a v=1\n\n\nb v=1\n\nc v=1\nd')
  const first = splitLines(none, bytes, 2)
  expect(first).toMatchObject({ bytesRead: 14 })
  const second = splitLines(first.rest, bytes.subarray(first.bytesRead))
  expect([...first.lines, ...second.lines].map(textOf)).toEqual(['a v=1', 'b v=1', 'c v=1'])
  expect(textOf(second.rest)).toBe('d')
})

it('counts as many lines as it would split, with the same rest', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (begun, text) => {
      const rest = bytesOf(begun.replaceAll('\n', ''))
      const split = splitLines(rest, bytesOf(text))
      const counted = countLines(rest, bytesOf(text))
      expect(counted.lines).toBe(split.lines.length)
      expect(textOf(counted.rest)).toBe(textOf(split.rest))
      expect(textOf(counted.example)).toBe(textOf(split.lines[0] ?? none))
    }),
  )
})
