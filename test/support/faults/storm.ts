import { execFile } from 'node:child_process'
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { LabError } from '@community-lab/contract'
import type { Slice } from '@community-lab/kernel'
import { localSystemCalls } from '../../../agent/src/system-calls.ts'
import type { ControlClient } from '../../../server/vct/src/control/client.ts'
import { randomOf } from '../power/content.ts'
import type { RunningTestbed } from '../testbed.ts'

/** The faults of a {@link storm}, while each sliver of a slice writes lines. */
export interface StormOptions {
  readonly testbed: Pick<RunningTestbed, 'control' | 'podPid'>
  readonly slice: Slice
  /** The name of the run. */
  readonly name: string
  /** How long the slivers write, and how many lines each of them a second. */
  readonly seconds: number
  readonly perSecond: number
  /** How long all nodes are cut off the management network. */
  readonly cutS: number
  /** How often an agent, a catcher or the server is killed. */
  readonly kills: number
  /** The node whose disk is filled and freed; {@link giveSmallDisk} was called for it. */
  readonly filled: string
  /** Which faults come when. */
  readonly seed: number
}

/** What became of the lines of a sliver. */
export interface Weathered {
  readonly node: string
  /** Lines that its program has written. */
  readonly written: number
  readonly rows: number
  readonly distinct: number
  /** Lines that were told as lost or refused. */
  readonly told: number
  /** How long its program's calls of write(2) took, in ms. */
  readonly p99Ms: number
  readonly longestMs: number
}

/** Writes lines into the FIFO, each with a call of its own, and tells how long these took. */
const writer = `use strict; use warnings; my ($rate, $rows) = @ARGV; $SIG{PIPE} = "IGNORE";
my $path = "/run/community-lab/measure"; my ($out, @took);
sub now { my $t = "\\0" x 16; syscall(CLOCK, 1, $t); my ($s, $ns) = unpack("l!2", $t); return $s + $ns / 1e9 }
open($out, ">", $path) or die $!;
my $start = now();
for my $i (1 .. $rows) {
  my $wait = $start + $i / $rate - now();
  select(undef, undef, undef, $wait) if $wait > 0;
  my $line = "gust i=$i run=\\"$ENV{COMMUNITY_LAB_RUN}\\"\\n";
  my $began = now();
  # Agent and catcher may be dead at once. Then nobody reads, the line is not taken, and it is written again.
  until ((syswrite($out, $line) // 0) == length $line) { open($out, ">", $path) or die $! }
  push(@took, now() - $began);
}
@took = sort { $a <=> $b } @took;
printf("%d %.3f %.3f", scalar @took, 1000 * $took[0.99 * $#took], 1000 * $took[-1]);`

/**
 * Let all slivers of a slice write, while their nodes are cut off, a node's disk is full, and agents, catchers and server are killed, at random moments. Returns when all that was written is
 * in the store.
 */
export async function storm(options: StormOptions): Promise<readonly Weathered[]> {
  const { slice, seconds, perSecond } = options
  const { clockGettime } = localSystemCalls() ?? {}
  const program = writer.replace('CLOCK', String(clockGettime))
  const rows = seconds * perSecond
  const run = await slice.run({
    name: options.name,
    programs: [{ script: `exec perl -e '${program}' ${perSecond} ${rows}` }],
  })
  await run.rows('gust').take(1)
  await strike(
    faultsOf(
      options,
      slice.slivers.map(({ node }) => node),
    ),
  )
  const outcomes = await run.done({ timeoutMs: Infinity })
  const stored = await run.sql<{ node: string; rows: number; distinct_rows: number }>`
    select node, count(*)::double as rows, count(distinct i)::double as distinct_rows from gust group by node order by node`
  const weathered = await Promise.all(
    outcomes.map(async ({ node, dropped, rejected }) => {
      const [written, p99Ms, longestMs] = (await run.output(node)).split(' ').map(Number)
      const own = stored.find((each) => each.node === node)
      return {
        node,
        ...{ written: written ?? 0, p99Ms: p99Ms ?? NaN, longestMs: longestMs ?? NaN },
        ...{ rows: own?.rows ?? 0, distinct: own?.distinct_rows ?? 0 },
        told: (dropped ?? NaN) + (rejected ?? NaN),
      }
    }),
  )
  await run.close()
  return weathered
}

interface Fault {
  readonly atS: number
  strike(): unknown
}

async function strike(faults: readonly Fault[]): Promise<void> {
  const began = performance.now()
  for (const { atS, strike } of faults) {
    await delay(Math.max(0, atS * 1000 - (performance.now() - began)))
    await strike()
  }
}

/** Choose the faults and their moments. */
function faultsOf(
  { testbed, seconds, cutS, kills, filled, seed }: StormOptions,
  nodes: readonly string[],
): readonly Fault[] {
  const { control, podPid } = testbed
  const random = randomOf(seed)
  // On a busy machine a server takes its time to come back.
  const patience = (): AbortSignal => AbortSignal.timeout(300_000)
  const all = (action: 'cut' | 'start') => async () => {
    for (const node of nodes) await control.node(node, action, patience())
  }
  const anyNode = (): string => nodes[Math.floor(random() * nodes.length)] ?? filled
  const kill = (): (() => unknown) => {
    const which = random()
    const node = anyNode()
    if (which < 0.4) return () => control.node(node, 'kill-agent', patience())
    if (which < 0.8)
      return () => {
        killCatcher(podPid, node)
      }
    return async () => {
      await control.server('kill', patience())
      await startServer(control, patience())
    }
  }
  const cutAtS = 0.15 * seconds
  const folders = diskFolders.map((name) => join(inPod(podPid), 'nodes', filled, name))
  return [
    { atS: cutAtS, strike: all('cut') },
    { atS: cutAtS + cutS, strike: all('start') },
    {
      atS: 0.4 * seconds,
      strike: () => {
        folders.forEach(fill)
      },
    },
    {
      atS: 0.6 * seconds,
      strike: () => {
        folders.forEach(free)
      },
    },
    ...Array.from({ length: kills }, () => ({
      atS: (0.05 + 0.9 * random()) * seconds,
      strike: kill(),
    })),
  ].sort((one, other) => one.atS - other.atS)
}

/** Start the server. On a busy machine it takes longer than the testbed waits. */
async function startServer(control: ControlClient, patience: AbortSignal): Promise<void> {
  for (;;)
    try {
      await control.server('start', patience)
      return
    } catch (error) {
      const isSlow = error instanceof LabError && error.code === 'LAB_TIMEOUT'
      if (!isSlow || patience.aborted) throw error
    }
}

/** The folders of a node's data that have its samples. */
const diskFolders = ['spool', 'catchers'] as const
const data = '/run/vct/data'
const inPod = (podPid: number): string => `/proc/${podPid}/root${data}`

/** Give a node that is off a disk of its own for its samples. Needs root. */
export async function giveSmallDisk(podPid: number, node: string): Promise<void> {
  for (const name of diskFolders) {
    const at = `${data}/nodes/${node}/${name}`
    const mount = ['mount', '--mkdir', '-t', 'tmpfs', '-o', 'size=24m', 'storm', at]
    await promisify(execFile)('nsenter', ['--target', `${podPid}`, '--mount', '--', ...mount])
  }
}

function fill(dir: string): void {
  const file = openSync(join(dir, 'filler'), 'a')
  try {
    for (const size of [1024 * 1024, 4096])
      try {
        for (const bytes = Buffer.alloc(size); ;) writeSync(file, bytes)
      } catch {
        // The disk is full.
      }
  } finally {
    closeSync(file)
  }
}

function free(dir: string): void {
  rmSync(join(dir, 'filler'))
}

/** Kill the catcher of a node, if it has one now. Other testbeds have nodes of the same name. */
function killCatcher(podPid: number, node: string): void {
  const pod = readlinkSync(`/proc/${podPid}/ns/ipc`)
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/u.test(name)))
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      if (!argv.includes(`${data}/nodes/${node}/catchers`)) continue
      if (readlinkSync(`/proc/${pid}/ns/ipc`) === pod) process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
}
