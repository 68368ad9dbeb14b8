import { LabError } from '@community-lab/contract'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { SshConnection } from '../../../../kernel/src/ssh/connection.ts'
import { SliverConnections, type Lease } from '../../../../kernel/src/ssh/connections.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const { signal } = new AbortController()

/** Make a sliver whose SSH server accepts this many connections. */
function sliverFor(most: number, refusal = new Error('no more')) {
  const made: SshConnection[] = []
  const connections = new SliverConnections({
    sliver: '1@1',
    node: 'n1',
    dial: () => {
      const open = made.filter((connection) => connection.open).length
      if (open >= most) return Promise.reject(refusal)
      const connection = createConnection()
      made.push(connection)
      return Promise.resolve(connection)
    },
  })
  return { connections, made }
}

function createConnection(): SshConnection {
  let open = true
  const listeners = new Set<(reason: string) => void>()
  return {
    get open() {
      return open
    },
    exec: () => Promise.reject(new Error('nothing runs here')),
    onEnd(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close() {
      open = false
      for (const listener of listeners) listener('it was closed')
    },
  }
}

/** Ask for this many leases. Returns what has become of them so far. */
function ask(connections: SliverConnections, count: number) {
  const leases: Lease[] = []
  const errors: unknown[] = []
  for (let each = 0; each < count; each++)
    connections.lease({ signal }).then(
      (lease) => leases.push(lease),
      (error: unknown) => errors.push(error),
    )
  return { leases, errors }
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

it('uses one connection for consecutive commands', async () => {
  const { connections, made } = sliverFor(100)
  for (let each = 0; each < 5; each++) (await connections.lease({ signal })).end('free')
  expect(made).toHaveLength(1)
})

it('opens some connections at once and more of them slowly, and gives a free one to the command that has waited longest', async () => {
  const { connections, made } = sliverFor(100)
  const { leases } = ask(connections, 20)
  await pass(0)
  expect([leases.length, made.length]).toEqual([8, 8])
  leases[0]?.end('free')
  await pass(0)
  expect([leases.length, made.length]).toEqual([9, 8])
  expect(leases[8]?.connection).toBe(leases[0]?.connection)
  await pass(250)
  expect([leases.length, made.length]).toEqual([10, 9])
})

it('fails all waiting commands when no connection can be opened', async () => {
  const { connections } = sliverFor(0)
  const { errors } = ask(connections, 5)
  await pass(0)
  expect(errors.map(String)).toEqual(Array.from({ length: 5 }, () => 'Error: no more'))
})

it('lets commands wait for those that end, however long all of them take', async () => {
  const { connections } = sliverFor(2)
  const { leases, errors } = ask(connections, 12)
  for (let ended = 0; ended < 12; ended++) {
    await pass(6_000)
    leases[ended]?.end('free')
  }
  await pass(0)
  expect([leases.length, errors]).toEqual([12, []])
})

it('gives up waiting commands when no connection can be opened and no command ends', async () => {
  const { connections } = sliverFor(2)
  const { leases, errors } = ask(connections, 4)
  await pass(9_000)
  expect([leases.length, errors.length]).toEqual([2, 0])
  await pass(2_000)
  expect(errors.map((error) => LabError.is(error, 'LAB_COMMAND_NOT_STARTED'))).toEqual([true, true])
})

it('reports that a sliver cannot be reached, and not that it has no process left, while a running command has not noticed', async () => {
  const details = { sliver: '1@1', address: 'fd00::1', reason: 'ENETUNREACH' }
  const cutOff = new LabError('LAB_SLIVER_UNREACHABLE', details)
  const { connections } = sliverFor(1, cutOff)
  const { leases, errors } = ask(connections, 2)
  await pass(11_000)
  expect([leases.length, errors]).toEqual([1, [cutOff]])
})

it('opens no connection for a while when the sliver could not start a command', async () => {
  const { connections, made } = sliverFor(100)
  const first = await connections.lease({ signal })
  const second = await connections.lease({ signal })
  second.end('refused')
  expect(second.connection.open).toBe(false)
  const { leases } = ask(connections, 1)
  await pass(2_000)
  expect([leases.length, made.length]).toEqual([0, 2])
  await pass(2_000)
  expect([leases.length, made.length]).toEqual([1, 3])
  first.end('free')
})

it('passes on a connection that arrived when its command had given up', async () => {
  const { connections } = sliverFor(1)
  const first = await connections.lease({ signal })
  const gone = new AbortController()
  const given = connections.lease({ signal: gone.signal }).catch(() => null)
  const { leases } = ask(connections, 1)
  first.end('free')
  gone.abort()
  await given
  await pass(0)
  expect(leases).toHaveLength(1)
})
