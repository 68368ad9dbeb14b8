import { expect, it } from 'vitest'
import { createKnownEtags } from '../../../../server/src/registry/known-etags.ts'

const tagged = (etag: string) => ({ etag, value: null })

it('knows the ETag of a target that was read as long as nothing has changed', async () => {
  const known = createKnownEtags({ maxAgeMs: 100, nowMs: () => 0 })
  expect(known.target(1)).toBeNull()
  await known.readTarget(1, () => Promise.resolve(tagged('"1"')))
  known.forgetTarget(2)
  expect(known.target(1)).toBe('"1"')
  known.forgetTarget(1)
  expect(known.target(1)).toBeNull()
})

it('does not believe a reading during which something changed', async () => {
  const known = createKnownEtags({ maxAgeMs: 100, nowMs: () => 0 })
  const old = Promise.withResolvers<{ etag: string; value: null }>()
  const first = known.readTarget(1, () => old.promise)
  known.forgetTarget(1)
  old.resolve(tagged('"old"'))
  expect(await first).toEqual(tagged('"old"'))
  expect(known.target(1)).toBeNull()
})

it('reads again after a while, for others may have changed the database', async () => {
  let nowMs = 0
  const known = createKnownEtags({ maxAgeMs: 100, nowMs: () => nowMs })
  await known.readTarget(1, () => Promise.resolve(tagged('"1"')))
  known.noteReport(1, '"r"')
  expect([known.report(1), known.report(2)]).toEqual(['"r"', null])
  nowMs = 100
  expect(known.target(1)).toBeNull()
  expect(known.report(1)).toBeNull()
})
