import { execFile, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { median, printTable } from './table.ts'

const nodes = 10
const daySeconds = 86_400
/** How many times faster than time a day passes. */
const speed = 288
/** The parts of the day that are compared: what comes before is the warm-up. */
const early = [0.3, 0.5] as const
const late = [0.8, 1] as const

/**
 * A day of ten nodes with a sample a second each, at a raised speed: through spools and streams of agents, the server's store, which seals hours and removes old files meanwhile, and a
 * kernel that reads all rows. Is the memory of each flat, and the disk bounded?
 */
export async function measureSoak(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const dir = await mkdtemp('/dev/shm/lab-soak-')
    try {
      await soakIn(dir)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  }
}

/** What the reader tells in the end. */
interface Counted {
  readonly rows: number
  readonly misplaced: number
  readonly heapMiB: readonly number[]
}

/** What is measured each second, in MiB. */
interface Look {
  readonly share: number
  readonly agents: number
  readonly server: number
  readonly reader: number
  readonly spools: number
  readonly database: number
  readonly files: number
}

async function soakIn(dir: string): Promise<void> {
  const children: ChildProcess[] = []
  const start = (name: string, ...args: readonly (string | number)[]): ChildProcess => {
    const child = fork(join(import.meta.dirname, 'soak', name), args.map(String), {
      execArgv: ['--expose-gc'],
    })
    children.push(child)
    return child
  }
  try {
    const store = join(dir, 'store')
    const spools = join(dir, 'spools')
    const server = start('server-main.ts', store)
    const [{ port }] = (await once(server, 'message')) as [{ port: number }]
    const wanted = nodes * daySeconds
    const reader = start('reader-main.ts', port, wanted)
    const counted = once(reader, 'message') as Promise<[Counted]>
    const hourMs = 3_600_000
    const startMs = Math.floor(Date.now() / hourMs) * hourMs - 25 * hourMs
    const agents = start('agents-main.ts', spools, port, nodes, speed, startMs)
    const done = once(agents, 'message')
    const looks: Look[] = []
    const began = performance.now()
    const isDone = async (): Promise<boolean> =>
      Promise.race([done.then(() => true), delay(1_000, false)])
    while (!(await isDone()))
      looks.push({
        share: ((performance.now() - began) / 1000) * (speed / daySeconds),
        agents: await memoryOf(agents),
        server: await memoryOf(server),
        reader: await memoryOf(reader),
        spools: await sizeOf(spools),
        database: await sizeOf(join(store, 'telemetry.duckdb')),
        files: await sizeOf(join(store, 'parquet')),
      })
    const [{ rows, misplaced, heapMiB }] = await counted
    const seconds = Math.round((performance.now() - began) / 1000)
    console.log(
      `${wanted} samples in ${seconds} s; ${rows} rows read, ${misplaced} not in their place`,
    )
    console.log(
      `objects of the reader after each tenth, in MiB: ${heapMiB.map((mib) => mib.toFixed(1)).join(' ')}`,
    )
    report(looks)
  } finally {
    for (const child of children) if (child.exitCode === null) child.kill('SIGKILL')
  }
}

function report(looks: readonly Look[]): void {
  // On a busy machine the day lasts longer than it should.
  const whole = looks.at(-1)?.share ?? 1
  const within = ([from, to]: readonly [number, number]) =>
    looks.filter(({ share }) => share >= from * whole && share <= to * whole)
  const row = (name: string, of: (look: Look) => number): string[] => {
    const [before, after] = [early, late].map((part) => median(within(part).map(of))) as [
      number,
      number,
    ]
    const most = Math.max(...looks.map(of))
    const change = `${(100 * (after / before - 1)).toFixed(1)} %`
    return [name, ...[before, after, most].map((mib) => mib.toFixed(1)), change]
  }
  printTable(
    ['MiB', '30 to 50 % of the day', '80 to 100 %', 'most', 'change'],
    [
      row('agents, memory', ({ agents }) => agents),
      row('server, memory', ({ server }) => server),
      row('reader, memory', ({ reader }) => reader),
      row('spools, disk', ({ spools }) => spools),
      row('database, disk', ({ database }) => database),
      row('sealed files, disk', ({ files }) => files),
    ],
  )
}

/** Memory of a process’s own, without pages of files, in MiB. */
async function memoryOf({ pid }: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^RssAnon:\s+(\d+)/mu.exec(status)?.[1]) / 1024
}

/** The size of a file or folder, in MiB; 0 when there is none. */
async function sizeOf(path: string): Promise<number> {
  const told = await promisify(execFile)('du', ['-sk', path]).catch(() => ({ stdout: '0' }))
  return Number.parseInt(told.stdout, 10) / 1024
}
