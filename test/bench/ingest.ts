import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { jobs, samplesOf, type Job } from './ingest/job.ts'
import { sendAsNodes } from './ingest/nodes.ts'
import { startOurs, startPrometheus, startVictoria, type Running } from './ingest/peer.ts'
import { remoteWrite } from './ingest/remote-write.ts'
import { median, printTable } from './table.ts'

interface Contender {
  readonly name: string
  start(dir: string): Promise<Running>
  send(port: number, job: Job, startMs: number): Promise<void>
}

const contenders: readonly Contender[] = [
  { name: 'Community-Lab', start: startOurs, send: sendAsNodes },
  { name: 'VictoriaMetrics', start: startVictoria, send: remoteWrite },
  { name: 'Prometheus', start: startPrometheus, send: remoteWrite },
]

/**
 * Samples for each second of processor time of the process that stores them, with all its threads; in turn with Debian's `victoria-metrics` and `prometheus`.
 * Ours acknowledges after the commit. VictoriaMetrics answers when it has the samples in memory, Prometheus when its log is written and not synced.
 */
export async function measureIngest(rounds: number): Promise<void> {
  const rates = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++)
    for (const contender of contenders)
      for (const job of jobs) {
        const key = `${contender.name} ${job.name}`
        const rate = await measureOnce(contender, job)
        rates.set(key, [...(rates.get(key) ?? []), rate])
      }
  const of = (name: string, job: Job): readonly number[] => rates.get(`${name} ${job.name}`) ?? []
  printTable(
    ['samples per processor second', ...contenders.map(({ name }) => name), 'of VictoriaMetrics'],
    jobs.map((job) => {
      const ours = median(of('Community-Lab', job))
      const ratio = ours / median(of('VictoriaMetrics', job))
      return [
        job.name,
        ...contenders.map(({ name }) => format(of(name, job))),
        `${ratio.toFixed(2)}x`,
      ]
    }),
  )
}

async function measureOnce({ start, send }: Contender, job: Job): Promise<number> {
  // In memory, so that no disk is measured.
  const dir = await mkdtemp('/dev/shm/lab-ingest-')
  try {
    await using running = await start(join(dir, 'store'))
    const before = await running.cpuSeconds()
    await send(running.port, job, Date.now())
    return samplesOf(job) / ((await running.cpuSeconds()) - before)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function format(rates: readonly number[]): string {
  const inThousands = (rate: number): string => `${Math.round(rate / 1_000)}`
  const least = inThousands(Math.min(...rates))
  return `${inThousands(median(rates))} k (${least}–${inThousands(Math.max(...rates))})`
}
