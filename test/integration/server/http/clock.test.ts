import fastify from 'fastify'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { callAt } from '../../../../server/src/access/call-at.ts'
import { anonymous } from '../../../../server/src/access/principal.ts'
import { addressLimitPlugin, defaultLimits } from '../../../../server/src/http/limits.ts'

const minuteMs = 60_000
const hourMs = 3_600_000

beforeEach(
  () => void vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] }),
)
afterEach(() => void vi.useRealTimers())

it.each([-hourMs, hourMs])(
  'limits requests by the minute also when the clock of the server is set by %i ms',
  async (byMs) => {
    await using app = fastify()
    app.decorateRequest('principal')
    app.addHook('onRequest', (request, _reply, done) => {
      request.principal = anonymous
      done()
    })
    await app.register(addressLimitPlugin, {
      limits: { ...defaultLimits, addressPerMinute: 2, anonymousPerMinute: 2 },
    })
    app.get('/', () => '')
    const ask = async (): Promise<number> => (await app.inject({ url: '/' })).statusCode
    expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 429])
    vi.setSystemTime(Date.now() + byMs)
    expect(await ask()).toBe(429)
    vi.advanceTimersByTime(minuteMs)
    expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 429])
  },
)

it('calls at a time of day also when the clock is set meanwhile', () => {
  let calls = 0
  const call = (): void => void (calls += 1)
  callAt(Date.now() + 2 * hourMs, call)
  vi.setSystemTime(Date.now() + 2 * hourMs)
  vi.advanceTimersByTime(minuteMs)
  expect(calls).toBe(1)
  callAt(Date.now() + hourMs, call)
  vi.setSystemTime(Date.now() - hourMs)
  vi.advanceTimersByTime(2 * hourMs - 1)
  expect(calls).toBe(1)
  vi.advanceTimersByTime(1)
  expect(calls).toBe(2)
  callAt(Date.now() + hourMs, call)()
  vi.advanceTimersByTime(2 * hourMs)
  expect(calls).toBe(2)
})

it('waits longer than a single timer can', () => {
  let calls = 0
  callAt(Date.now() + 2 ** 32, () => void (calls += 1))
  vi.advanceTimersByTime(2 ** 32 - 1)
  expect(calls).toBe(0)
  vi.advanceTimersByTime(1)
  expect(calls).toBe(1)
})
