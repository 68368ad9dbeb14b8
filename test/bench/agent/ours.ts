import { execFileSync, fork, spawn, type ChildProcess } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { job, runOf, sliverProgram } from './job.ts'
import { readProcess, type Spent } from './spent.ts'

interface Counted {
  readonly committed: number
  readonly bytes: number
}

/** Let the measuring part of an agent and its catcher take the rows of programs, and send them to a server that acknowledges them. Returns what both have spent while the rows came that count. */
export async function measureOurs(dir: string): Promise<Spent> {
  const [key, certificate] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  const make = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench -keyout ${key} -out ${certificate}`
  execFileSync('openssl', make.split(' '), { stdio: 'ignore' })
  const { raw } = new X509Certificate(await readFile(certificate))
  const sink = fork(join(import.meta.dirname, 'sink-main.ts'), [key, certificate])
  const [{ port }] = (await begin(sink)) as [{ port: number }]
  const url = `https://127.0.0.1:${port}`
  const sha256 = createHash('sha256').update(raw).digest('hex')
  const agent = fork(
    join(import.meta.dirname, 'agent-main.ts'),
    [dir, String(job.slivers), url, sha256],
    { execArgv: (process.env['BENCH_AGENT_ARGS'] ?? '').split(' ').filter((arg) => arg !== '') },
  )
  await begin(agent)
  const catcher = Number(await readFile(join(dir, 'catchers', 'lock'), 'utf8'))
  const programs = Array.from({ length: job.slivers }, (_, index) => startProgram(dir, index + 1))
  try {
    await wait(job.warmUpS)
    const [before, caughtBefore, counted] = [
      readProcess(agent.pid),
      readProcess(catcher),
      await count(sink),
    ]
    await wait(job.seconds)
    const [after, caughtAfter, recounted] = [
      readProcess(agent.pid),
      readProcess(catcher),
      await count(sink),
    ]
    return {
      rows: recounted.committed - counted.committed,
      bytes: recounted.bytes - counted.bytes,
      cpuS: { agent: after.cpuS - before.cpuS, catcher: caughtAfter.cpuS - caughtBefore.cpuS },
      residentMiB: [before.residentMiB, after.residentMiB],
    }
  } finally {
    for (const program of programs) program.kill()
    for (const child of [agent, sink]) {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    }
  }
}

/** Wait for the first message of a process. */
async function begin(child: ChildProcess): Promise<unknown[]> {
  const [ended, told] = [once(child, 'exit').then(() => null), once(child, 'message')]
  const message = await Promise.race([ended, told])
  if (message === null) throw new Error('a part of the benchmark did not start')
  return message as unknown[]
}

function startProgram(dir: string, of: number): ChildProcess {
  const rows = (job.warmUpS + job.seconds + 2) * job.perSecond
  const fifo = join(dir, 'measure', String(of), 'measure')
  const args = [job.perSecond, rows, of, fifo, runOf(of)].map(String)
  return spawn('perl', ['-e', sliverProgram, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
}

async function count(sink: ChildProcess): Promise<Counted> {
  const told = once(sink, 'message')
  sink.send('count')
  const [counted] = (await told) as [Counted]
  return counted
}

function wait(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
}
