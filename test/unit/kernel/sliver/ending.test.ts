import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Bundle } from '../../../../kernel/src/display/bundle.ts'
import { warnOfEnd } from '../../../../kernel/src/sliver/ending.ts'

const displaySymbol = Symbol.for('community-lab.display')
let shown: string[] = []
beforeEach(() => {
  shown = []
  const show = (bundle: Bundle): void => void shown.push(String(bundle['text/plain']))
  const display = { display: show, newDisplay: () => ({ update: show }) }
  Reflect.set(globalThis, displaySymbol, display)
})
afterEach(() => Reflect.deleteProperty(globalThis, displaySymbol))

it('a slice that ends soon is told of once for each warning, and again after a renewal', () => {
  const session = {}
  const slice = { id: 1, name: 'hello', expires_on: '2030-01-05T00:00:00.000Z' }
  const since = '2030-01-01T00:00:00.000Z'
  const use = (days: number, changes: object = {}) =>
    warnOfEnd(session, { ...slice, ...changes, end_warning: { days, since } })
  warnOfEnd(session, { ...slice, end_warning: null })
  // A server of before says nothing of it.
  warnOfEnd(session, slice)
  expect(shown).toEqual([])
  use(4)
  use(4)
  expect(shown).toEqual([
    'slice hello ends within 4 days, on 2030-01-05 00:00 UTC: what is in its slivers will be lost, its measurements stay. To keep it for 30 more days: await slice.renew()',
  ])
  use(1)
  use(4, { expires_on: '2030-02-05T00:00:00.000Z' })
  expect(shown.slice(1)).toEqual([
    expect.stringContaining('within a day'),
    expect.stringContaining('on 2030-02-05'),
  ])
})
