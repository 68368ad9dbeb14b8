import { expect, it } from 'vitest'
import { isFaulty, readFrame } from '../../../../server/src/stream/frame.ts'

function faultOf(record: object) {
  const { frame } = readFrame(JSON.stringify({ type: 'batch', spool: 's', records: [record] }))
  const [read] = frame?.type === 'batch' ? frame.records : []
  if (read === undefined || !isFaulty(read)) throw new Error('the record is not faulty')
  return read
}

it('keeps a faulty record with the sliver that it came from, whatever else of it is odd', () => {
  for (const time_us of [1_700_000_000_000_000.5, 'soon', null])
    expect(
      faultOf({ seq: 1, source: '3@1', time_us, name: 'rtt', fields: { secret: 1 } }),
    ).toMatchObject({ source: '3@1', timeUs: null })
  expect(faultOf({ seq: 1, source: 3, time_us: 5, name: 'rtt', fields: {} })).toMatchObject({
    source: null,
    timeUs: 5,
  })
})

it('bounds the reason, in which a name that was sent may stand', () => {
  const fields = { ['x'.repeat(2_000_000)]: {} }
  const { fault } = faultOf({ seq: 1, source: '3@1', time_us: 1, name: 'rtt', fields })
  expect(fault.length).toBeLessThan(1_000)
})
