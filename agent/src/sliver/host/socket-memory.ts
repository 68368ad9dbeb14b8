import { readFileSync } from 'node:fs'
import { isErrno, isProcessGone } from '../../errno.ts'
import type { Limits } from '../domain/limits.ts'
import {
  couldHoldTooMuch,
  heldByTcp,
  heldInTable,
  socketTables,
  type BufferLimits,
} from '../domain/socket-memory.ts'
import { runCommand } from './command.ts'
import { isAlive, type ProcessIdentity } from './process.ts'

/** A running sliver, whose sockets are in the network namespace of its first process. */
export interface SocketOwner {
  readonly process: ProcessIdentity
  readonly limits: Pick<Limits, 'memory'>
}

/** Measures the memory that the kernel counts for nobody, by sliver. All amounts are in bytes, and 0 when a sliver has ended or has too few sockets to hold too much. */
export interface SocketMemory {
  /** Return what the sockets of a sliver hold, except those of TCP. */
  read(owner: SocketOwner): number
  /**
   * Return what its TCP sockets hold. Their table in `/proc` lacks the queue of errors, so this asks the program `ss`, which takes some 6 ms of the processor.
   */
  readTcp(owner: SocketOwner, signal: AbortSignal): Promise<number>
}

/** The owner may change the limits on buffers. They are read again when they are older than this, in milliseconds. */
const limitsForMs = 1_000

/** Make the measurement of slivers' sockets. */
export function createSocketMemory(nowMs: () => number): SocketMemory {
  let limitsAtMs = nowMs()
  let bufferLimits = readBufferLimits()

  function couldHold({ process, limits }: SocketOwner): boolean {
    if (nowMs() - limitsAtMs > limitsForMs) {
      bufferLimits = readBufferLimits()
      limitsAtMs = nowMs()
    }
    return couldHoldTooMuch(readTable(process.pid, 'sockstat'), bufferLimits, limits)
  }

  return {
    read(owner) {
      if (!couldHold(owner)) return 0
      const { pid } = owner.process
      return socketTables.reduce((sum, name) => sum + heldInTable(name, readTable(pid, name)), 0)
    },
    async readTcp(owner, signal) {
      if (!couldHold(owner)) return 0
      try {
        return heldByTcp(await listTcp(owner.process.pid, signal))
      } catch (error) {
        if (!isAlive(owner.process)) return 0
        throw error
      }
    },
  }
}

function listTcp(pid: number, signal: AbortSignal): Promise<string> {
  const list = ['ss', '--tcp', '--all', '--numeric', '--memory', '--no-header']
  return runCommand(['nsenter', `--net=/proc/${pid}/ns/net`, '--', ...list], { signal })
}

function readBufferLimits(): BufferLimits {
  return {
    receive: readLastNumber('core/rmem_max'),
    send: readLastNumber('core/wmem_max'),
    tcpReceive: readLastNumber('ipv4/tcp_rmem'),
  }
}

/** Return the last number of a setting. Infinity: an older kernel does not show it in this network namespace. */
function readLastNumber(setting: string): number {
  try {
    const text = readFileSync(`/proc/sys/net/${setting}`, 'utf8')
    return Number(text.trim().split(/\s+/u).at(-1))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return Infinity
    throw error
  }
}

/** Read a table at once: these files are in memory, and the way through a thread takes ten times as long. */
function readTable(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/net/${name}`, 'utf8')
  } catch (error) {
    // A kernel without IPv6 has not all of them, and a zombie has none.
    if (isProcessGone(error) || isErrno(error, 'EINVAL')) return ''
    throw error
  }
}
