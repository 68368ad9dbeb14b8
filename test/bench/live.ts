import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHttpClient } from '../../kernel/src/http/client.ts'
import { readRows, rowStream } from '../../kernel/src/run/row-stream.ts'
import { startOurs } from './ingest/peer.ts'
import { median, printTable } from './table.ts'

const slivers = 10
const perSecond = 1_000
/** So long that the store writes a checkpoint meanwhile, which it does after about 170,000 rows. */
const seconds = 20
/** Rows of each sliver, and the seconds of rest after them, before the rows that count: a server does not begin with its first row. */
const warmUp = { rows: 3_000, restS: 4 }

/** A program in a sliver, which writes one line after the other, and when it has written it. */
const writer = `
use strict; use warnings; use Fcntl; use Time::HiRes qw(time sleep);
my ($fifo, $rate, $rows, $warm, $rest) = @ARGV;
sysopen(my $out, $fifo, O_WRONLY) or die "$fifo: $!";
sub put { syswrite($out, sprintf("ticks sent_s=%.6f nr=%d run=bench\\n", time, $_[0])) }
for (1 .. $warm) { put(0); sleep(1 / $rate) }
sleep($rest);
my $start = time;
for my $nr (1 .. $rows) {
  my $wait = $start + $nr / $rate - time;
  sleep($wait) if $wait > 0;
  put($nr);
}`

/** Seconds of each row. */
interface Delays {
  /** From the program's write to the row in the reader's hands. */
  readonly whole: number[]
  /** From the program's write to the catcher of its node. */
  readonly caught: number[]
}

/**
 * From a program's write to the row in the cell: agents with their catchers and spools, the server's stream and store, and the kernel's stream of rows, each in processes of
 * their own, on the disk of this machine.
 */
export async function measureLive(rounds: number): Promise<void> {
  const found: Delays[] = []
  for (let round = 0; round < rounds; round++) found.push(await measureOnce())
  const row = (name: string, of: (delays: Delays) => number[]) => [
    name,
    ...[0.5, 0.99, 1].map((part) => format(found.map((delays) => quantile(of(delays), part)))),
  ]
  printTable(
    [`${slivers} slivers, ${perSecond} rows a second each`, 'p50', 'p99', 'longest'],
    [
      row('write to row in the cell', ({ whole }) => whole),
      row('of that, write to catcher', ({ caught }) => caught),
    ],
  )
}

async function measureOnce(): Promise<Delays> {
  const dir = await mkdtemp(join(tmpdir(), 'lab-live-'))
  try {
    await using parts = new AsyncDisposableStack()
    const server = parts.use(await startOurs(join(dir, 'store')))
    parts.use(await startAgents(dir, server.port))
    const writers = Array.from({ length: slivers }, (_, index) => {
      const fifo = join(dir, `node-${index + 1}`, 'measure', 'measure')
      return spawn(
        'perl',
        [
          '-e',
          writer,
          fifo,
          String(perSecond),
          String(seconds * perSecond),
          ...Object.values(warmUp).map(String),
        ],
        {
          stdio: ['ignore', 'ignore', 'inherit'],
        },
      )
    })
    const delays = await readAll(server.port, slivers * (seconds * perSecond + warmUp.rows))
    for (const each of writers) if (each.exitCode === null) await once(each, 'exit')
    return delays
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function readAll(port: number, wanted: number): Promise<Delays> {
  const ending = new AbortController()
  const { signal } = ending
  const http = createHttpClient({ url: `http://127.0.0.1:${port}`, token: 'group1', signal })
  const delays: Delays = { whole: [], caught: [] }
  const rows = rowStream(async function* () {
    const selection = { scope: 'slice-3', name: 'ticks', run: 'bench', signal }
    let left = wanted
    for await (const batch of readRows({ http }, selection)) {
      yield* batch.rows
      left -= batch.rows.length
      if (left <= 0) return
    }
  })
  await rows.forEach(({ sent_s: sentS, nr, time }) => {
    if (nr === 0) return
    delays.whole.push((performance.timeOrigin + performance.now()) / 1_000 - Number(sentS))
    delays.caught.push(Number(time) / 1_000 - Number(sentS))
  })
  ending.abort()
  await http.close()
  return delays
}

async function startAgents(dir: string, port: number): Promise<AsyncDisposable> {
  const main = join(import.meta.dirname, 'live', 'agents-main.ts')
  const child = fork(main, [dir, String(port), String(slivers)])
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error('the agents did not start'))),
  ])
  return {
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}

function format(found: readonly number[]): string {
  const ms = (value: number): string => `${Math.round(value * 1_000)}`
  return `${ms(median(found))} ms (${ms(Math.min(...found))}–${ms(Math.max(...found))})`
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN
}
