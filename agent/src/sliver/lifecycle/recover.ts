import { isAlive } from '../host/process.ts'
import type { SliverRecord } from '../store/record.ts'
import type { Records } from '../store/records.ts'
import { afterEnd, endProcesses } from './end.ts'
import { reasonOfEnd, type SliverParts } from './parts.ts'

/** The slivers that run, by what their records tell. */
export async function findRunning(records: Records): Promise<readonly SliverRecord[]> {
  const running: SliverRecord[] = []
  for (const record of records.all())
    if (record.stage === 'started' && record.process !== null && (await isAlive(record.process)))
      running.push(record)
  return running
}

/**
 * Look after the slivers that an agent before has left: watch those that run; end what was left half-way, or has ended while no agent looked. One that
 * cannot be ended is told to `onProblem` and stays unclean.
 */
export async function recover(parts: SliverParts, running: readonly SliverRecord[]): Promise<void> {
  for (const record of parts.records.all()) {
    if (running.includes(record)) {
      if (record.process !== null) parts.watch.add(record.id, record.process)
    } else {
      await recoverEnded(parts, record).catch((error: unknown) =>
        parts.node.onProblem(record.id, error),
      )
    }
  }
}

async function recoverEnded(parts: SliverParts, record: SliverRecord): Promise<void> {
  parts.unclean.add(record.id)
  const reason = await reasonOfEnd(parts, record)
  await endProcesses(parts, record)
  if (record.stage === 'started') await parts.records.save(afterEnd(record, reason))
  else if (record.process !== null) await parts.records.save({ ...record, process: null })
}
