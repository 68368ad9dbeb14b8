import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { path, routes, sliceScope } from '@community-lab/contract'
import { DuckDBInstance } from '@duckdb/node-api'
import { connect, type Lab, type Slice, type Sliver } from '@community-lab/kernel'
import { startTestbed, type RunningTestbed } from '../../support/testbed.ts'

/** A testbed of two nodes. On each run a sliver of a hostile slice and one of a neighbour who does nothing wrong. */
export interface HostileWorld extends AsyncDisposable {
  readonly testbed: RunningTestbed
  readonly lab: Lab
  /** The attacker's slice, on n1 and n2. */
  readonly hostile: Slice
  /** The slice that must not notice anything, on n1 and n2. */
  readonly neighbour: Slice
}

/** Seconds between two readings of a node's health in this world. */
export const healthIntervalS = 1
/** Time between two beats of the neighbour, in milliseconds. */
const beatMs = 50

/** Start the world. One is shared by all attacks: a testbed takes seconds to start. */
export async function startHostileWorld(): Promise<HostileWorld> {
  const testbed = await startTestbed({
    nodes: 2,
    agentEnv: { COMMUNITY_LAB_AGENT_HEALTH_INTERVAL_S: String(healthIntervalS) },
  })
  const lab = connect(testbed.credentials)
  const ensure = (name: string): Promise<Slice> =>
    lab.slices.ensure(name, { template: 'tiny', nodes: ['n1', 'n2'] })
  const [hostile, neighbour] = await Promise.all([ensure('hostile'), ensure('neighbour')])
  await Promise.all([hostile.started(), neighbour.started()])
  return {
    testbed,
    lab,
    hostile,
    neighbour,
    async [Symbol.asyncDispose]() {
      await lab.close()
      await testbed[Symbol.asyncDispose]()
    },
  }
}

/** What the neighbour and the node's own measurements were like during an attack. */
export interface Undisturbed {
  /** Lines that the neighbour's program on n1 has written, one each {@link beatMs}. */
  readonly written: number
  /** Rows of them at the server, and how many different ones they are. */
  readonly rows: number
  readonly distinct: number
  /** How often more than a second passed between two of them, as the node saw it. */
  readonly gaps: number
  /** Whole seconds that the attack took. */
  readonly seconds: number
  /** Rows of n1's health that were measured in these seconds. */
  readonly healthRows: number
  /** The longest time without such a row, in seconds. */
  readonly longestAwayS: number
}

/** Run an attack while the neighbour's programs write a line every 50 ms, and count what became of n1's and of its health. */
export async function attackBeside(
  world: HostileWorld,
  attack: () => Promise<void>,
): Promise<Undisturbed> {
  const { lab, neighbour } = world
  const [beside] = neighbour.slivers
  if (beside === undefined) throw new Error('the neighbour has no sliver')
  const run = await neighbour.run('beats', {
    script: `i=0
while [ ! -e "/tmp/stop-$COMMUNITY_LAB_RUN" ]; do
  i=$((i + 1))
  echo "beat i=$i run=\\"$COMMUNITY_LAB_RUN\\"" > /run/community-lab/measure
  usleep ${beatMs * 1000}
done
echo "beats written=$i run=\\"$COMMUNITY_LAB_RUN\\"" > /run/community-lab/measure`,
  })
  const from = new Date()
  await attack()
  const to = new Date()
  await neighbour.sh`touch ${`/tmp/stop-${run.id}`}`
  await run.done({ timeoutMs: 60_000 })
  const [beats] = await run.sql`
    with own as (select i, time - lag(time) over (order by i) as gap from beat where sliver = ${beside.id})
    select (select max(written) from beats where sliver = ${beside.id}) as written,
      (select count(*) from own) as n, (select count(distinct i) from own) as distinct_n,
      (select count(*) from own where gap > interval 1 second) as gaps`
  const health = await lab.health({ from, to })
  const [own] = await health.sql`
    with own as (select time - lag(time, 1, ${from}) over (order by time) as gap from node_health where node = 'n1')
    select count(*) as n, epoch(max(gap)) as longest from own`
  return {
    written: Number(beats?.['written']),
    rows: Number(beats?.['n']),
    distinct: Number(beats?.['distinct_n']),
    gaps: Number(beats?.['gaps']),
    seconds: Math.floor((to.getTime() - from.getTime()) / 1000),
    healthRows: Number(own?.['n']),
    longestAwayS: Number(own?.['longest']),
  }
}

/** What {@link attackBeside} gives when nobody but the attacker has noticed anything. */
export function nothingNoticed(seen: Undisturbed): Undisturbed {
  return {
    ...seen,
    rows: seen.written,
    distinct: seen.written,
    gaps: 0,
    // The first or the last of them may be just outside.
    healthRows: Math.max(seen.healthRows, Math.floor(seen.seconds / healthIntervalS) - 1),
  }
}

/** All rows of one measurement of a slice that are at the server, whatever run they are of. None when there is no such measurement. */
export async function readMeasurement(
  world: HostileWorld,
  slice: Slice,
  name: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { url, token } = world.testbed.credentials
  const scope = sliceScope(slice.id)
  const answer = await fetch(url + path(routes.measurementParquet, { scope, name }), {
    headers: { authorization: `Bearer ${token}` },
  })
  if (answer.status === 404) return []
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${await answer.text()}`)
  const folder = await mkdtemp(join(tmpdir(), 'hostile-'))
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const file = join(folder, 'rows.parquet')
    await writeFile(file, Buffer.from(await answer.arrayBuffer()))
    const result = await connection.runAndReadAll(`select * from '${file}' order by time`)
    return result.getRowObjectsJS()
  } finally {
    connection.closeSync()
    instance.closeSync()
    await rm(folder, { recursive: true })
  }
}

/** A new sliver on the attacked node starts as on any other. */
export async function startAnother({ lab }: HostileWorld): Promise<void> {
  const another = await lab.slices.ensure('another', { template: 'tiny', nodes: ['n1'] })
  await another.started({ timeoutMs: 20_000 })
  await another.release()
}

/** The attacker's sliver on n1. */
export function hostileSliver({ hostile }: HostileWorld): Sliver {
  const [sliver] = hostile.slivers
  if (sliver === undefined) throw new Error('the attacker has no sliver')
  return sliver
}
