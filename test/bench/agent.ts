import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureCollectd, throwWithoutCollectd } from './agent/collectd.ts'
import { job } from './agent/job.ts'
import { measureOurs } from './agent/ours.ts'
import type { Spent } from './agent/spent.ts'
import { median, printTable } from './table.ts'

const contenders: Readonly<Record<string, (dir: string) => Promise<Spent>>> = {
  'agent and catcher': measureOurs,
  'collectd, a row as one list': (dir) => measureCollectd(dir, 'row'),
  'collectd, four lists a row': (dir) => measureCollectd(dir, 'each'),
}

/**
 * Processor time of a node for a row of four fields, from the program's write to the wire: the catcher and the agent's measuring part, and Debian's collectd with the same rows. Ours
 * checks each line against a declared point, keeps it on the disk until it is acknowledged, and sends it over TLS. collectd does none of these.
 */
export async function measureAgent(rounds: number): Promise<void> {
  throwWithoutCollectd()
  const found = new Map<string, Spent[]>()
  for (let round = 0; round < rounds; round++)
    for (const [name, measure] of Object.entries(contenders)) {
      const dir = await mkdtemp(join(tmpdir(), 'lab-agent-'))
      try {
        found.set(name, [...(found.get(name) ?? []), await measure(dir)])
      } finally {
        await rm(dir, { recursive: true, force: true })
      }
    }
  const perRow = (name: string, of: (spent: Spent) => number): number =>
    median((found.get(name) ?? []).map(of))
  const ours = perRow('agent and catcher', allUs)
  printTable(
    [
      `${job.slivers} programs, ${job.perSecond} rows a second each`,
      ...['µs a row', 'of which', 'ours of it', 'bytes a row', 'rows', 'MiB before and after'],
    ],
    Object.keys(contenders).map((name) => {
      const us = perRow(name, allUs)
      const parts = Object.keys(found.get(name)?.[0]?.cpuS ?? {})
      return [
        name,
        us.toFixed(2),
        parts
          .map((part) => `${part} ${perRow(name, (spent) => usOf(spent, part)).toFixed(2)}`)
          .join(', '),
        `${(ours / us).toFixed(2)}x`,
        perRow(name, ({ bytes, rows }) => bytes / rows).toFixed(0),
        perRow(name, ({ rows }) => rows).toFixed(0),
        [0, 1]
          .map((at) => perRow(name, (spent) => spent.residentMiB[at] ?? 0).toFixed(0))
          .join(', '),
      ]
    }),
  )
}

function usOf({ cpuS, rows }: Spent, part: string): number {
  return ((cpuS[part] ?? 0) * 1e6) / rows
}

function allUs(spent: Spent): number {
  return Object.keys(spent.cpuS).reduce((sum, part) => sum + usOf(spent, part), 0)
}
