import { bool, count, optional, point, seconds, text } from '@community-lab/contract'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createLineChecks } from '../../../../../agent/src/measurement/domain/line-checks.ts'
import { toSample } from '../../../../../agent/src/measurement/domain/line-samples.ts'

const rtt = point('rtt', { rtt_s: optional(seconds()), lost: bool(), peer: text() })
const id = 'pings-20260101T000000Z-0123456789ab'

function declared() {
  const checks = createLineChecks()
  checks.declare({ id, sliver: '1@3', points: [rtt] })
  return checks
}

const read = (line: string, { source = '1@3', checks = declared() } = {}) =>
  toSample(Buffer.from(line), { source, checks }, 5)

it('a line of a run must fit what the run declares', () => {
  expect(read(`rtt rtt_s=0.1 lost=false peer=n2 run=${id}`).sample).toMatchObject({ name: 'rtt' })
  expect(read(`rtt rtt_s=0.1 lost=0 peer=n2 run=${id}`)).toEqual({
    sample: null,
    reason: 'point rtt: field lost must be true or false',
  })
})

it('other lines keep the rules of undeclared ones', () => {
  // A measurement that the run does not declare, a line without a run, another run, and another sliver that claims the run.
  for (const line of [
    `other x=1 run=${id}`,
    'rtt lost=0',
    'rtt lost=0 run=another',
    'rtt lost=0 run=5',
  ])
    expect(read(line).sample).not.toBeNull()
  expect(read(`rtt lost=0 run=${id}`, { source: '2@3' }).sample).not.toBeNull()
  const checks = declared()
  checks.forget(id)
  expect(read(`rtt lost=0 run=${id}`, { checks }).sample).not.toBeNull()
})

it('a run is declared anew, as after a restart of the agent', () => {
  const checks = declared()
  checks.declare({ id, sliver: '1@3', points: [point('rtt', { hops: count() })] })
  expect(read(`rtt hops=3 run=${id}`, { checks }).sample).not.toBeNull()
})

it('whatever a program writes becomes a sample of its own sliver, or a reason', () => {
  const checks = declared()
  const word = fc.constantFrom(
    'rtt',
    `run=${id}`,
    'lost=true',
    'lost=1',
    'peer=n2',
    'rtt_s=nan',
    '=',
  )
  const line = fc.oneof(
    fc.array(word).map((words) => words.join(' ')),
    fc.string({ unit: 'binary' }),
    fc
      .tuple(fc.string(), fc.string())
      .map(([one, other]) => `rtt peer=${one} lost=${other} run=${id}`),
  )
  fc.assert(
    fc.property(line, fc.constantFrom('1@3', '2@3'), (text, source) => {
      const result = read(text, { source, checks })
      if (result.sample === null) {
        expect(result.reason.length).toBeLessThan(1000)
        return
      }
      expect(result.sample.source).toBe(source)
      const { name, fields } = result.sample
      if (source === '1@3' && name === 'rtt' && fields['run'] === id)
        expect(typeof fields['lost']).toBe('boolean')
    }),
  )
})
