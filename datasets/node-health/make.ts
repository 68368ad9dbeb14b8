/**
 * Record the dataset `node-health` again: `npm run dataset`, as root, with gcc. It records some minutes of each day of a week in a virtual testbed of five nodes: between two days, the
 * testbed is stopped, and started again with all its clocks set forward to noon of the next day. Faults are made at known times (`week.ts`). What the server publishes of each day is the
 * dataset, as it is. Takes about 40 minutes; needs what `npm start` sets up.
 */
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { HealthManifest, path, PublishedDay, routes } from '@community-lab/contract'
import { connect, type Lab } from '@community-lab/kernel'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { startVirtualTestbed, type OwnTestbed } from './virtual-testbed.ts'
import { recordedS, week, type Day } from './week.ts'

const folder = import.meta.dirname
const healthIntervalS = 2
const nodes = 5
const dayMs = 86_400_000
const noonMs = dayMs / 2
const env = { COMMUNITY_LAB_AGENT_HEALTH_INTERVAL_S: String(healthIntervalS) }

/** Slivers send to each other at a steady rate: something to see in every column. */
const pings = 'while :; do ping -c 1 -s 1000 -W 1 "$1" >/dev/null 2>&1; usleep 200000; done'

/** A day as the manifest describes it. */
interface RecordedDay {
  readonly day: string
  readonly title: string
  readonly from: string
  readonly to: string
  readonly faults: readonly { readonly time: string; readonly what: string }[]
}

const home = await mkdtemp(join(tmpdir(), 'cl-data-'))
try {
  const today = Math.floor(Date.now() / dayMs) * dayMs
  const days: RecordedDay[] = []
  for (const [index, day] of week.entries())
    days.push(await record(day, { index, beginMs: today - (week.length - index) * dayMs }))
  await using testbed = await startVirtualTestbed(home, { nodes, env, aheadS: 0 })
  for (const name of await readdir(folder))
    if (/^\d{4}-\d{2}-\d{2}$/u.test(name) || name === 'manifest.json')
      await rm(join(folder, name), { recursive: true })
  for (const { day } of days) await fetchDay(testbed, day)
  await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(about(days), null, 2)}\n`)
} finally {
  await rm(home, { recursive: true, force: true })
  await rm(`${home}-clock`, { recursive: true, force: true })
}

/** Record a day whose first moment is `beginMs`. The testbed's clocks are at its noon when it starts. */
async function record(
  day: Day,
  { index, beginMs }: { readonly index: number; readonly beginMs: number },
): Promise<RecordedDay> {
  const aheadS = Math.round((beginMs + noonMs - Date.now()) / 1000)
  const name = new Date(beginMs).toISOString().slice(0, 10)
  const nowMs = (): number => Date.now() + aheadS * 1000
  console.log(`${name}: ${day.title}`)
  await using testbed = await startVirtualTestbed(home, { nodes, env, aheadS })
  await using lab = connect({ credentialsFile: testbed.credentialsFile })
  await startPings(lab, index)
  const firstMs = nowMs()
  const faults: { time: string; what: string }[] = []
  for (const { atS, what, act } of day.actions) {
    await delay(Math.max(0, firstMs + atS * 1000 - nowMs()))
    console.log(`  ${atS} s: ${what}`)
    faults.push({ time: new Date(nowMs()).toISOString(), what })
    await act(lab)
  }
  await delay(Math.max(0, firstMs + recordedS * 1000 - nowMs()))
  const to = new Date(nowMs())
  await everythingLanded(lab, { from: new Date(firstMs), to })
  const from = new Date(firstMs).toISOString()
  return { day: name, title: day.title, from, to: to.toISOString(), faults }
}

async function startPings(lab: Lab, index: number): Promise<void> {
  const all = await lab.nodes.find({ state: 'production' })
  const slice = await lab.slices.ensure('load', { template: 'tiny', nodes: all })
  await slice.started()
  const programs = slice.slivers.map((sliver, at, every) => ({
    script: pings,
    args: [every[(at + 1) % every.length]?.address ?? ''],
    on: sliver,
  }))
  await slice.run(`pings-${index + 1}`, { programs, limitMs: recordedS * 1000 })
}

/** Wait until every node's samples up to the end are here: those of a node that was cut off come late. */
async function everythingLanded(
  lab: Lab,
  { from, to }: { readonly from: Date; readonly to: Date },
): Promise<void> {
  const almost = new Date(to.getTime() - 3_000 * healthIntervalS)
  for (let attempt = 0; attempt < 120; attempt++) {
    await using health = await lab.health({ from, to })
    const rows = await health.sql<{ node: string }>`
      select node from node_health group by node having max(time) >= ${almost}`
    if (rows.length === nodes) return
    await delay(1000)
  }
  throw new Error('not every node has sent its last samples within two minutes')
}

/** Wait until the server has published a day, and take it as it is. */
async function fetchDay({ url }: OwnTestbed, day: string): Promise<void> {
  const ask = async (route: string): Promise<Response> => {
    const response = await fetch(new URL(route, url))
    if (!response.ok) throw new Error(`${route}: ${response.status}`)
    return response
  }
  for (let attempt = 0; ; attempt++) {
    const list = Value.Parse(Type.Array(PublishedDay), await (await ask(routes.healthDays)).json())
    if (list.some((published) => published.day === day)) break
    if (attempt > 180) throw new Error(`the server has not published ${day} within three minutes`)
    await delay(1000)
  }
  const text = await (await ask(path(routes.healthManifest, { day }))).text()
  const { tables } = Value.Parse(HealthManifest, JSON.parse(text))
  await mkdir(join(folder, day), { recursive: true })
  for (const { file } of tables) {
    const { body } = await ask(path(routes.healthFile, { day, file }))
    if (body === null) throw new Error(`${file} of ${day} is empty`)
    await pipeline(Readable.fromWeb(body as never), createWriteStream(join(folder, day, file)))
  }
  await writeFile(join(folder, day, 'manifest.json'), text)
}

function about(days: readonly RecordedDay[]) {
  return {
    name: 'node-health',
    title:
      'Health of five virtual nodes on seven days: a sick node, a flapping link, an overloaded node, a partition',
    licence: 'CC-BY-4.0',
    made_by: 'npm run dataset (datasets/node-health/make.ts)',
    made_on: { nodes, arch: process.arch, health_interval_s: healthIntervalS },
    time: 'column time: UTC, microseconds, by the clock of the node; all virtual nodes share one clock',
    provenance: `${recordedS / 60} minutes of each of ${days.length} days, measured by real agents and routers on namespaces of one machine, in one session: between two days, the testbed was stopped, and started again with all its clocks set forward to noon of the next day. The faults were made on purpose, at the times that are named here. The server published each day when its clock was past it`,
    days,
  }
}
