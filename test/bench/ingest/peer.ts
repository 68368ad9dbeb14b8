import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../support/free-port.ts'

/** A running program that takes samples. */
export interface Running extends AsyncDisposable {
  readonly port: number
  /** The processor time that it has taken until now, in seconds, with all its threads. */
  cpuSeconds(): Promise<number>
}

/** Start the server's stream and store. */
export async function startOurs(dir: string): Promise<Running> {
  const child = fork(join(import.meta.dirname, 'server-main.ts'), [dir])
  const [told] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error('the server did not start'))),
  ])) as [{ port: number }]
  return {
    port: told.port,
    cpuSeconds: () => readCpu(child.pid),
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}

/** Start VictoriaMetrics of Debian. */
export function startVictoria(dir: string): Promise<Running> {
  return startPeer('victoria-metrics', (port) => [
    `-storageDataPath=${dir}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    '-retentionPeriod=100y',
  ])
}

/** Start Prometheus of Debian. */
export function startPrometheus(dir: string): Promise<Running> {
  return startPeer('prometheus', (port) => [
    `--storage.tsdb.path=${dir}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.enable-remote-write-receiver',
    '--config.file=/dev/null',
  ])
}

async function startPeer(
  command: string,
  args: (port: number) => readonly string[],
): Promise<Running> {
  const port = await freePort()
  const child = spawn(command, args(port), { stdio: 'ignore' })
  await once(child, 'spawn')
  await waitFor(port)
  return {
    port,
    cpuSeconds: () => readCpu(child.pid),
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}

async function waitFor(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await fetch(`http://127.0.0.1:${port}/-/ready`).catch(() => null)
    if (answer?.ok === true) return
    await delay(100)
  }
  throw new Error('the peer does not answer')
}

/** Source: proc(5); USER_HZ is 100. */
async function readCpu(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
