import { rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { LabError } from '@community-lab/contract'
import type { Rate } from '../domain/rate.ts'
import type { Spool } from '../spool/spool.ts'
import { catchSliver, endOwnCatcher, type CaughtSliver } from './caught-sliver.ts'
import { createDrainer } from './drainer.ts'
import { fifoPath } from './fifo.ts'
import { openNodeCatcher, type NodeCatcher } from './node-catcher.ts'
import {
  beginStream,
  currentBoot,
  findStream,
  isOfAnotherBoot,
  removeStream,
  setAside,
  type Stream,
} from './stream-folder.ts'
import { createStreamReader } from './stream-reader.ts'

/** Options of {@link createCatchers}. */
export interface CatchersOptions {
  readonly spool: Spool
  /** Where the catchers' files are, for them alone; it must outlive the agent. */
  readonly dir: string
  /** The most bytes caught and not yet read into the spool, per sliver; default {@link defaultCatcherBytes}. */
  readonly maxBytesPerSliver?: number
  /** How many bytes a sliver may write; default {@link defaultByteRate}. */
  readonly byteRate?: Rate
  /** Told what goes wrong between calls: a catcher that cannot be started again, a disk that fails. */
  readonly onProblem?: (error: unknown) => void
}

/** What takes in the lines that slivers' programs write. */
export interface Catchers {
  /**
   * See that a sliver's lines are caught: make its FIFO `measure` (mode 0622: any of its users may write) in the folder that it sees at
   * `/run/community-lab`, start a catcher or find the one that an agent before has started, and read what it has. Idempotent.
   * @throws {@link LabError} LAB_AGENT_CATCHER_FAILED.
   */
  ensure(sliverId: string, measureDir: string): Promise<void>
  /** Read what a sliver has written to its end, and remove its catcher, its FIFO and its files. Call it when its processes have ended. Idempotent. */
  remove(sliverId: string): Promise<void>
  /** Let go, so that this process can end: the catchers run on and keep what is written meanwhile. */
  stop(): Promise<void>
}

/** What one sliver's caught lines may take of its node's disk unless told otherwise, in bytes. */
export const defaultCatcherBytes = 16 * 1024 * 1024
/** What one sliver may write unless told otherwise, in bytes: good for 5,000 lines a second of 200 bytes. */
const defaultByteRate: Rate = { perSecond: 1024 * 1024, burst: 8 * 1024 * 1024 }
const largestSegmentBytes = 1024 * 1024

/**
 * Catch the lines that the programs in slivers write, by one process for the whole node (`agent/perl/catcher.pl`).
 *
 * A writer never waits for more than the catcher, whatever happens to this process; a line that a writer's call has taken is in the server once, also when
 * this process or the catcher is killed at any moment. Beyond `maxBytesPerSliver` new lines are dropped, and their number is told in `dropped`; beyond
 * `byteRate` they are refused, which `rejected` tells (a catcher killed while it throws lines away may leave out the chunk of up to 64 KiB in its hands).
 * Lines that cannot be read become `rejected`. A line's time is when the catcher saw it, a few milliseconds after it was written.
 */
export function createCatchers(options: CatchersOptions): Catchers {
  const { spool, onProblem = () => undefined } = options
  const dir = resolve(options.dir)
  const maxBytes = options.maxBytesPerSliver ?? defaultCatcherBytes
  const drainer = createDrainer({ onProblem })
  const caught = new Map<string, { readonly sliver: CaughtSliver; readonly measureDir: string }>()
  const tails = new Map<string, Promise<void>>()
  let opened: Promise<NodeCatcher> | null = null

  function openCatcher(): Promise<NodeCatcher> {
    opened ??= openNodeCatcher({
      dir,
      segmentBytes: Math.min(largestSegmentBytes, Math.ceil(maxBytes / 8)),
      maxBytes,
      byteRate: options.byteRate ?? defaultByteRate,
      bootId: currentBoot(),
      onProblem,
    }).catch((error: unknown) => {
      opened = null
      throw error
    })
    return opened
  }

  function folderOf(sliverId: string): string {
    return join(dir, encodeURIComponent(sliverId))
  }

  /** Find a sliver's stream. A stream that a newer agent has begun cannot be read here: its folder is renamed, and the sliver gets a new stream. */
  async function find(sliverId: string): Promise<Stream | null> {
    const stream = await findStream(folderOf(sliverId))
    if (stream !== 'newer') return stream
    const reason = `a newer agent has kept its lines, which now are in ${await setAside(folderOf(sliverId))}`
    onProblem(new LabError('LAB_AGENT_CATCHER_FAILED', { sliver: sliverId, reason }))
    return null
  }

  function readerOf(sliverId: string, { markKey }: Stream) {
    const dir = folderOf(sliverId)
    return createStreamReader({ spool, dir, markKey, source: sliverId, onProblem })
  }

  /** Read a stream that nobody writes any more to its end, and remove it. */
  async function finish(sliverId: string): Promise<void> {
    const folder = folderOf(sliverId)
    const stream = await find(sliverId)
    if (stream !== null) {
      await readerOf(sliverId, stream).drainLast()
      await spool.sync()
    }
    await removeStream(folder)
    // Forgotten last: with the files still there it would be read a second time.
    if (stream !== null) spool.append([], { marks: { [stream.markKey]: null } })
  }

  async function ensure(sliverId: string, measureDir: string): Promise<void> {
    const present = caught.get(sliverId)
    if (present !== undefined) {
      if (present.measureDir === measureDir && (await present.sliver.isCaught())) return
      caught.delete(sliverId)
      await present.sliver.end()
    }
    try {
      await begin(sliverId, measureDir)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new LabError('LAB_AGENT_CATCHER_FAILED', { sliver: sliverId, reason }, { cause: error })
    }
  }

  async function begin(sliverId: string, measureDir: string): Promise<void> {
    const catcher = await openCatcher()
    const folder = folderOf(sliverId)
    let stream = await find(sliverId)
    if (stream !== null && isOfAnotherBoot(stream)) {
      await finish(sliverId)
      stream = null
    }
    stream ??= await beginStream(folder)
    const sliver = await catchSliver({
      sliver: sliverId,
      spool,
      reader: readerOf(sliverId, stream),
      drainer,
      catcher,
      folder: basename(folder),
      dir: folder,
      measureDir,
      onProblem,
    })
    caught.set(sliverId, { sliver, measureDir })
  }

  async function remove(sliverId: string): Promise<void> {
    const present = caught.get(sliverId)
    caught.delete(sliverId)
    if (present === undefined) {
      const folder = folderOf(sliverId)
      await (await openCatcher()).unwant(basename(folder))
      await endOwnCatcher(folder)
    } else {
      await present.sliver.end()
      await rm(fifoPath(present.measureDir), { force: true })
    }
    await finish(sliverId)
  }

  /** Do what concerns one sliver in the order it was asked for. */
  function inTurn(sliverId: string, task: () => Promise<void>): Promise<void> {
    const before = tails.get(sliverId) ?? Promise.resolve()
    const turn = before.then(task, task)
    tails.set(sliverId, turn)
    return turn
  }

  return {
    ensure: (sliverId, measureDir) => inTurn(sliverId, () => ensure(sliverId, resolve(measureDir))),
    remove: (sliverId) => inTurn(sliverId, () => remove(sliverId)),
    async stop() {
      await Promise.allSettled(tails.values())
      for (const { sliver } of caught.values()) await sliver.close()
      caught.clear()
      await (await opened?.catch(() => null))?.close()
    },
  }
}
