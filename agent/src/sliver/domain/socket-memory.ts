import type { Limits } from './limits.ts'

/**
 * The tables in `/proc/PID/net` of the sockets whose memory the kernel counts for no cgroup, or in part only. Those of UDP show also what it does count: what has
 * been received. Not counted are the queue of errors, which has copies of sent packets when a program asks for the time of sending, and packets that are not sent yet.
 */
export const socketTables = [
  ...(['packet', 'raw', 'raw6', 'icmp', 'icmp6', 'netlink'] as const),
  ...(['udp', 'udp6', 'udplite', 'udplite6'] as const),
]
/** The name of one of {@link socketTables}. */
export type SocketTable = (typeof socketTables)[number]

/** The columns in which a table has the bytes in a socket's queues, and how they are written. */
interface Layout {
  readonly columns: readonly number[]
  readonly base: 10 | 16
}

/**
 * Source: Linux, `packet_seq_show` in net/packet/af_packet.c (Rmem), `netlink_native_seq_show` in net/netlink/af_netlink.c (Rmem, Wmem), `raw_sock_seq_show`
 * in net/ipv4/raw.c and `udp4_format_sock` in net/ipv4/udp.c (`tx_queue:rx_queue`, in hexadecimal digits).
 */
function layoutOf(name: SocketTable): Layout {
  if (name === 'packet') return { columns: [6], base: 10 }
  if (name === 'netlink') return { columns: [4, 5], base: 10 }
  return { columns: [4], base: 16 }
}

/** What a socket takes besides its queues, in bytes. Source: `struct packet_sock` of Linux 6.18 has 1.4 kB, and slabs are rounded up. */
const socketBytes = 2048

/** Sum up what the sockets in one of these tables hold, in bytes. */
export function heldInTable(name: SocketTable, table: string): number {
  const { columns, base } = layoutOf(name)
  let bytes = 0
  for (const line of table.split('\n').slice(1)) {
    const cells = line.trim().split(/\s+/u)
    if (cells.length < 7) continue
    bytes += socketBytes
    for (const column of columns)
      for (const queue of (cells[column] ?? '').split(':')) bytes += numberOf(queue, base)
  }
  return bytes
}

/**
 * Sum up what the TCP sockets in the output of `ss --memory` have in their receive buffers and queues of errors, in bytes. Source: ss(8), `skmem:(r<rmem_alloc>,…`.
 */
export function heldByTcp(output: string): number {
  return [...output.matchAll(/skmem:\(r(\d+)/gu)].reduce((sum, [, bytes]) => sum + Number(bytes), 0)
}

/** Limits of the host on the buffers of one socket, in bytes. */
export interface BufferLimits {
  /** `net.core.rmem_max` */
  readonly receive: number
  /** `net.core.wmem_max` */
  readonly send: number
  /** The last number of `net.ipv4.tcp_rmem` */
  readonly tcpReceive: number
}

/** The size by which the last packet can exceed a buffer that is not quite full, in bytes. */
const longestPacket = 2 ** 16

/**
 * Tell whether sockets could hold more than a sliver has memory, whatever its programs do. Source: socket(7): the kernel doubles what a program sets with
 * SO_RCVBUF and SO_SNDBUF.
 *
 * @param sockstat - `/proc/PID/net/sockstat`; its first line is the number of sockets of all kinds.
 */
export function couldHoldTooMuch(
  sockstat: string,
  { receive, send, tcpReceive }: BufferLimits,
  limits: Pick<Limits, 'memory'>,
): boolean {
  const sockets = Number(/^sockets: used (\d+)/u.exec(sockstat)?.[1] ?? 0)
  const each = Math.max(2 * receive, tcpReceive) + 2 * send + 2 * longestPacket + socketBytes
  return holdsTooMuch(sockets * each, limits)
}

/** Tell whether a sliver's sockets hold more than the sliver may have of memory besides. */
export function holdsTooMuch(bytes: number, { memory }: Pick<Limits, 'memory'>): boolean {
  return bytes > memory * 2 ** 20
}

/**
 * The speed at which programs on one core can fill sockets, in bytes per millisecond: 4 GiB/s. Measured on a server of 2024 with the fastest way that was found
 * (answers of netlink); slow devices are slower.
 */
const fillPerCoreMs = 2 ** 32 / 1_000
/** The share of the free memory that slivers can fill between two looks at their sockets. */
const fillShare = 0.25
const shortestPauseMs = 10
const longestPauseMs = 500

/**
 * Return the time until the next look at the sockets of slivers, in milliseconds: so short that all cores together cannot fill more than a quarter of the free
 * memory meanwhile. With 1 GiB free and 2 cores it is 31 ms.
 */
export function pauseBetweenLooks(freeBytes: number, cores: number): number {
  const pauseMs = (freeBytes * fillShare) / (fillPerCoreMs * cores)
  return Math.min(longestPauseMs, Math.max(shortestPauseMs, Math.floor(pauseMs)))
}

/**
 * How many times longer the pause between two looks at TCP sockets is. Such a look starts a program. In return, TCP is slower: the fastest way that was found to
 * fill its sockets reached 0.4 GiB/s with one core.
 */
export const tcpPauseFactor = 10

function numberOf(text: string, base: 10 | 16): number {
  const value = Number.parseInt(text, base)
  return Number.isNaN(value) ? 0 : value
}
