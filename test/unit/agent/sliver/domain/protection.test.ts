import { expect, it } from 'vitest'
import { hasOtherProtection } from '../../../../../agent/src/sliver/domain/protection.ts'

const process = { pid: 100, startTicks: 5, bootId: 'one' }
const started = { stage: 'started', process, protection: { sha256: 'own', process } }

it('is this agent’s when it was noted with the container that runs', () => {
  expect(hasOtherProtection(started, 'own')).toBe(false)
})

it('is another one when it was noted as another one', () => {
  expect(hasOtherProtection(started, 'of a newer agent')).toBe(true)
})

it('is unknown, and so another one, when an agent from before it was noted has started the container', () => {
  expect(hasOtherProtection({ stage: 'started', process }, 'own')).toBe(true)
  // That agent has kept what another one had noted of a container before.
  for (const change of [{ pid: 101 }, { startTicks: 6 }, { bootId: 'two' }]) {
    const restarted = { ...started, process: { ...process, ...change } }
    expect(hasOtherProtection(restarted, 'own')).toBe(true)
  }
})

it('is nobody’s when nothing runs', () => {
  for (const sliver of [
    { ...started, stage: 'deployed' },
    { ...started, process: null },
  ])
    expect(hasOtherProtection(sliver, 'of a newer agent')).toBe(false)
})
