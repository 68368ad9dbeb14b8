import type { Limits } from './limits.ts'

/** The tables of a network namespace, in `/proc/PID/net`, of the sockets whose buffers the kernel counts for no cgroup. */
export const uncountedTables = ['packet', 'raw', 'raw6', 'icmp', 'icmp6'] as const

/** What a socket takes besides its buffers, in bytes. Source: `struct packet_sock` of Linux 6.18 has 1.4 kB, and slabs are rounded up. */
const socketBytes = 2048

/**
 * Sum up what the sockets in one of these tables hold, in bytes.
 *
 * Source: Linux, `packet_seq_show` in net/packet/af_packet.c (the seventh column is the filled part of the receive buffer) and `raw_seq_show` in net/ipv4/raw.c
 * (the fifth is `tx:rx`, in hexadecimal digits).
 */
export function heldInTable(name: (typeof uncountedTables)[number], table: string): number {
  const lines = table.split('\n').slice(1)
  let bytes = 0
  for (const line of lines) {
    const columns = line.trim().split(/\s+/u)
    if (columns.length < 7) continue
    bytes += socketBytes
    if (name === 'packet') bytes += numberOf(columns[6], 10)
    else for (const queue of (columns[4] ?? '').split(':')) bytes += numberOf(queue, 16)
  }
  return bytes
}

/** Tell whether a sliver's sockets hold more than the sliver may have of memory besides. */
export function holdsTooMuch(bytes: number, { memory }: Pick<Limits, 'memory'>): boolean {
  return bytes > memory * 2 ** 20
}

function numberOf(text: string | undefined, base: 10 | 16): number {
  const value = Number.parseInt(text ?? '', base)
  return Number.isNaN(value) ? 0 : value
}
