import { expect, it } from 'vitest'
import { heldInTable, holdsTooMuch } from '../../../../../agent/src/sliver/domain/socket-memory.ts'

const socketBytes = 2048

it('sums up the receive buffers of packet sockets', () => {
  const table = `sk               RefCnt Type Proto  Iface R Rmem   User   Inode
0000000000000000 3      3    0003   0     1 425984 0      12345
0000000000000000 3      3    0003   2     1 1024   0      12346
`
  expect(heldInTable('packet', table)).toBe(425_984 + 1024 + 2 * socketBytes)
})

it('sums up both queues of raw sockets', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
    1: 00000000:0001 00000000:0000 07 00000010:00000400 00:00000000 00000000     0        0 7 2 0000000000000000 0
`
  expect(heldInTable('raw', table)).toBe(16 + 1024 + socketBytes)
})

it('takes no line for a socket that is none', () => {
  expect(heldInTable('packet', '')).toBe(0)
  expect(heldInTable('raw6', 'sl  local_address\n')).toBe(0)
})

it('lets sockets hold as much as a sliver has memory', () => {
  expect(holdsTooMuch(64 * 2 ** 20, { memory: 64 })).toBe(false)
  expect(holdsTooMuch(64 * 2 ** 20 + 1, { memory: 64 })).toBe(true)
})
