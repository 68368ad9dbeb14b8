import { execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { collectdProgram, job } from './job.ts'
import { readProcess, type Spent } from './spent.ts'

/** How collectd gets the values of a row: as one list of several values, or each as one. */
export type CollectdLists = 'row' | 'each'

/**
 * Let Debian's collectd take the same rows from programs (plugin exec) and send them (plugin network, UDP, not encrypted). It keeps nothing on a disk, and nobody acknowledges.
 * Returns what it has spent while the rows came that count. Its programs' own time is not in it.
 */
export async function measureCollectd(dir: string, lists: CollectdLists): Promise<Spent> {
  const socket = createSocket('udp4')
  let bytes = 0
  socket.on('message', (packet) => (bytes += packet.length))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  await chmod(dir, 0o755)
  await writeFile(join(dir, 'program.pl'), collectdProgram, { mode: 0o644 })
  await writeFile(join(dir, 'types.db'), types)
  await writeFile(join(dir, 'collectd.conf'), configuration(dir, socket.address().port, lists))
  const collectd = spawn('collectd', ['-f', '-C', join(dir, 'collectd.conf')], { stdio: 'inherit' })
  const ended = once(collectd, 'exit')
  await once(collectd, 'spawn')
  try {
    await wait(job.warmUpS)
    const [before, bytesBefore] = [readProcess(collectd.pid), bytes]
    await wait(job.seconds)
    const [after, bytesAfter] = [readProcess(collectd.pid), bytes]
    return {
      rows: job.slivers * job.perSecond * job.seconds,
      bytes: bytesAfter - bytesBefore,
      cpuS: { collectd: after.cpuS - before.cpuS },
      residentMiB: [before.residentMiB, after.residentMiB],
    }
  } finally {
    collectd.kill()
    await ended
    socket.close()
  }
}

/** Throw unless collectd is installed. */
export function throwWithoutCollectd(): void {
  try {
    execFileSync('collectd', ['-h'], { stdio: 'ignore' })
  } catch {
    throw new Error('collectd is not here; install it: apt-get install collectd-core')
  }
}

const types = `
gauge value:GAUGE:U:U
rtt rtt_s:GAUGE:0:U, ttl:GAUGE:0:U, lost:GAUGE:0:1, peer:GAUGE:0:U
`

function configuration(dir: string, port: number, lists: CollectdLists): string {
  const rows = (job.warmUpS + job.seconds + 2) * job.perSecond
  const programs = Array.from(
    { length: job.slivers },
    (_, index) =>
      `  Exec "nobody" "/usr/bin/perl" "${join(dir, 'program.pl')}" "${job.perSecond}" "${rows}" "${index + 1}" "${lists}"`,
  )
  return `
Hostname "bench"
FQDNLookup false
BaseDir "${dir}"
PIDFile "${join(dir, 'pid')}"
TypesDB "${join(dir, 'types.db')}"
Interval 10
WriteThreads 1
LoadPlugin exec
LoadPlugin network
<Plugin network>
  Server "127.0.0.1" "${port}"
</Plugin>
<Plugin exec>
${programs.join('\n')}
</Plugin>
`
}

function wait(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
}
