import { expect, it } from 'vitest'
import { createKnownEtags } from '../../../../server/src/registry/known-etags.ts'

it('reads a target once as long as nothing has changed', async () => {
  const known = createKnownEtags({ maxAgeMs: 100, nowMs: () => 0 })
  let readings = 0
  const read = () => Promise.resolve(`"${++readings}"`)
  expect([await known.targetOf(1, read), await known.targetOf(1, read)]).toEqual(['"1"', '"1"'])
  known.forgetTarget(1)
  expect([await known.targetOf(1, read), await known.targetOf(1, read)]).toEqual(['"2"', '"2"'])
})

it('does not believe a reading during which something changed', async () => {
  const known = createKnownEtags({ maxAgeMs: 100, nowMs: () => 0 })
  const old = Promise.withResolvers<string>()
  const first = known.targetOf(1, () => old.promise)
  known.forgetTarget(1)
  old.resolve('"old"')
  await first
  expect(await known.targetOf(1, () => Promise.resolve('"new"'))).toBe('"new"')
})

it('reads again after a while, for others may have changed the database', async () => {
  let nowMs = 0
  const known = createKnownEtags({ maxAgeMs: 100, nowMs: () => nowMs })
  expect(await known.targetOf(1, () => Promise.resolve('"1"'))).toBe('"1"')
  known.noteReport(1, '"r"')
  expect([known.isReport(1, '"r"'), known.isReport(1, '"s"'), known.isReport(2, '"r"')]).toEqual([
    true,
    false,
    false,
  ])
  nowMs = 100
  expect(await known.targetOf(1, () => Promise.resolve('"2"'))).toBe('"2"')
  expect(known.isReport(1, '"r"')).toBe(false)
})
