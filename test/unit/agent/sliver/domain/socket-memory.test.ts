import { expect, it } from 'vitest'
import {
  couldHoldTooMuch,
  heldByTcp,
  heldInTable,
  holdsTooMuch,
  pauseBetweenLooks,
} from '../../../../../agent/src/sliver/domain/socket-memory.ts'

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

it('sums up both queues of netlink sockets', () => {
  const table = `sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
00000000fe559fad 0   0          00000000 0        0        0     2        0        14561316
00000000d35fd7f4 0   4711       00000000 425984   512      0     2        7        14561322
`
  expect(heldInTable('netlink', table)).toBe(425_984 + 512 + 2 * socketBytes)
})

it('sums up what UDP sockets have received and not yet sent', () => {
  const table = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  12: 00000000000000000000000000000000:0009 00000000000000000000000000000000:0000 07 00010000:00000400 00:00000000 00000000     0        0 9 2 0000000000000000 0
`
  expect(heldInTable('udp6', table)).toBe(65_536 + 1024 + socketBytes)
})

it('sums up the receive buffers of TCP sockets', () => {
  const output = `ESTAB 0 0 [::1]:22 [::1]:5000 skmem:(r4096,rb131072,t0,tb87040,f0,w0,o0,bl0,d0)
ESTAB 0 0 [::1]:5000 [::1]:22 skmem:(r1024,rb131072,t0,tb87040,f0,w0,o0,bl0,d0)
`
  expect(heldByTcp(output)).toBe(5120)
})

it('measures only slivers with so many sockets that their buffers could exceed the limit', () => {
  const buffers = { receive: 212_992, send: 212_992, tcpReceive: 6 * 2 ** 20 }
  const used = (count: number) => `sockets: used ${count}\nTCP: inuse 0\n`
  expect(couldHoldTooMuch(used(9), buffers, { memory: 64 })).toBe(false)
  expect(couldHoldTooMuch(used(10), buffers, { memory: 64 })).toBe(true)
  expect(couldHoldTooMuch(used(10), buffers, { memory: 128 })).toBe(false)
  // The process has ended.
  expect(couldHoldTooMuch('', buffers, { memory: 64 })).toBe(false)
})

it('measures a sliver with any socket when the limits of buffers are not known', () => {
  const unknown = { receive: Infinity, send: Infinity, tcpReceive: Infinity }
  expect(couldHoldTooMuch('sockets: used 1\n', unknown, { memory: 64 })).toBe(true)
})

it('measures the more often, the less memory is free', () => {
  expect(pauseBetweenLooks(2 ** 30, 2)).toBe(31)
  expect(pauseBetweenLooks(2 ** 30, 4)).toBe(15)
  expect(pauseBetweenLooks(64 * 2 ** 30, 2)).toBe(500)
  expect(pauseBetweenLooks(0, 2)).toBe(10)
})

it('takes no line for a socket that is none', () => {
  expect(heldInTable('packet', '')).toBe(0)
  expect(heldInTable('raw6', 'sl  local_address\n')).toBe(0)
})

it('lets sockets hold as much as a sliver has memory', () => {
  expect(holdsTooMuch(64 * 2 ** 20, { memory: 64 })).toBe(false)
  expect(holdsTooMuch(64 * 2 ** 20 + 1, { memory: 64 })).toBe(true)
})
