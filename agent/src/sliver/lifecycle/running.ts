import { LabError } from '@community-lab/contract'
import type { Serial } from '../../serial.ts'
import type { SliverRecord } from '../store/record.ts'
import { holdsTooMuch } from '../domain/socket-memory.ts'
import { reasonOf } from '../host/command.ts'
import { isAlive, kill } from '../host/process.ts'
import type { SocketOwner } from '../host/socket-memory.ts'
import { stopFor } from './end.ts'
import type { SliverParts } from './parts.ts'
import { cleanUp } from './recover.ts'

/** Work on several running slivers of the node at once. It waits for the steps of each sliver that are under way. */
export interface RunningSlivers {
  /** List the running slivers. */
  list(): readonly SliverRecord[]
  /** Run a task on a sliver when no step of its life is running. The task gets the record of that moment. It does not run when the sliver has ended. */
  inTurn(id: string, task: (record: SliverRecord) => Promise<void>): Promise<void>
  /** Try again to remove what is left of ended slivers, and to save records that could not be saved on a full disk. */
  cleanUpAll(): Promise<void>
  /** Give the links of all the speed that the owner lends now. An earlier agent may have set another one. */
  shapeLinks(signal: AbortSignal): Promise<void>
  /** Stop all running slivers for a reason of the node. */
  stopAll(reason: string): Promise<void>
  /** Kill a sliver if its sockets hold more memory than it may have. The kill does not wait for a step under way. */
  killForSockets(
    id: string,
    measure: (owner: SocketOwner) => number | Promise<number>,
  ): Promise<void>
}

/** Options of {@link createRunningSlivers}. */
export interface RunningOptions {
  /** Orders the tasks of each sliver. */
  readonly serial: Serial
  /** Called when a sliver has ended although no step has ended it. */
  readonly onEnded: (id: string) => void
}

/** Make the functions for the running slivers of a node. */
export function createRunningSlivers(
  parts: SliverParts,
  { serial, onEnded }: RunningOptions,
): RunningSlivers {
  const { host, records, unclean, node } = parts
  const list = (): readonly SliverRecord[] =>
    records.all().filter(({ stage }) => stage === 'started')

  function inTurn(id: string, task: (record: SliverRecord) => Promise<void>): Promise<void> {
    return serial.run(id, async () => {
      const record = records.get(id)
      if (record?.stage === 'started') await task(record)
    })
  }

  /** The last reported reason why each sliver cannot be cleaned up. The cleanup is repeated every few seconds, and the same reason is reported once. */
  const reported = new Map<string, string>()

  async function cleanUpOne(id: string): Promise<void> {
    try {
      await cleanUp(parts, id)
      await records.saveAgain(id)
      reported.delete(id)
    } catch (error) {
      const what = LabError.is(error) ? error.code : reasonOf(error)
      if (reported.get(id) !== what) node.onProblem(id, error)
      reported.set(id, what)
    }
  }

  return {
    list,
    inTurn,
    async cleanUpAll() {
      const left = [...new Set([...unclean, ...records.unsaved])]
      for (const id of reported.keys()) if (!left.includes(id)) reported.delete(id)
      await Promise.all(left.map((id) => serial.run(id, () => cleanUpOne(id))))
    },
    async shapeLinks(signal) {
      const shaping = (await host.links.findShapedOtherwise(list())).map(({ id }) =>
        inTurn(id, async (record) => {
          if (record.process === null || !isAlive(record.process)) return
          await host.links.shape(record, record.process, signal)
        }).catch((error: unknown) => node.onProblem(id, error)),
      )
      await Promise.all(shaping)
    },
    async stopAll(reason) {
      const stopping = list().map(({ id }) =>
        inTurn(id, (record) =>
          stopFor(parts, record, { reason, onNoted: () => onEnded(id) }),
        ).catch((error: unknown) => node.onProblem(id, error)),
      )
      await Promise.all(stopping)
    },
    async killForSockets(id, measure) {
      const record = records.get(id)
      if (record?.stage !== 'started' || record.process === null) return
      const { process, limits } = record
      const bytes = await measure({ process, limits })
      if (!holdsTooMuch(bytes, limits)) return
      kill(process)
      const held = Math.round(bytes / 2 ** 20)
      const { message: reason } = new LabError('LAB_SLIVER_ENDED', {
        sliver: id,
        reason: `its sockets held ${held} MiB that the kernel counts for nobody, and it may have ${limits.memory} MiB`,
      })
      await inTurn(id, async (now) => {
        if (now.process?.pid !== process.pid || now.process.startTicks !== process.startTicks)
          return
        await stopFor(parts, now, { reason, onNoted: () => onEnded(id) })
      })
    },
  }
}
