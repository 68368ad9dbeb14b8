import { rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { LabError } from '@community-lab/contract'
import { createSerial } from '../../serial.ts'
import type { Rate } from '../domain/rate.ts'
import type { Spool } from '../spool/spool.ts'
import { createDrainer } from './drainer.ts'
import { fifoPath } from './fifo.ts'
import { openNodeCatcher, type NodeCatcher } from './node-catcher.ts'
import { endOwnCatcher, openStream, type OpenStream } from './open-stream.ts'
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

/** Options of {@link createSliverStreams}. */
export interface SliverStreamsOptions {
  readonly spool: Spool
  /** Where the catcher and its files are, for it alone; it must outlive the agent. */
  readonly dir: string
  /** The most bytes caught and not yet read into the spool, per sliver; default {@link defaultCatcherBytes}. */
  readonly maxBytesPerSliver?: number
  /** How many bytes a sliver may write; default {@link defaultByteRate}. */
  readonly byteRate?: Rate
  /** How long the catcher may take to answer, in milliseconds; default 10 s. */
  readonly answerWithinMs?: number
  /** Told what goes wrong between calls: a catcher that cannot be started again, a disk that fails. */
  readonly onProblem?: (error: unknown) => void
}

/**
 * The streams of lines that slivers' programs write, each from its FIFO into the spool. Each call may fail, for the catcher or the disk may be in trouble. Then
 * nothing is forgotten, and the same call may be made again.
 */
export interface SliverStreams {
  /**
   * See that a sliver's lines are caught: make its FIFO `measure` (mode 0622: any of its users may write) in the folder that it sees at
   * `/run/community-lab`, start a catcher or find the one that an agent before has started, and read what it has. Idempotent; quick when all is well. A sliver
   * for which it fails is caught as soon as the catcher can.
   * @throws {@link LabError} LAB_AGENT_CATCHER_FAILED.
   */
  ensure(sliverId: string, measureDir: string): Promise<void>
  /** Read what a sliver has written to its end, and remove its FIFO and its files. Call it when its processes have ended. Idempotent. */
  remove(sliverId: string): Promise<void>
  /** Let go at once, so that this process can end: the catcher runs on and keeps what is written meanwhile. Calls under way fail. */
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
 * `byteRate` they are refused, which `rejected` tells.
 * Lines that cannot be read become `rejected`. A line's time is when the catcher saw it, a few milliseconds after it was written.
 */
export function createSliverStreams(options: SliverStreamsOptions): SliverStreams {
  const { spool, onProblem = () => undefined } = options
  const dir = resolve(options.dir)
  const maxBytes = options.maxBytesPerSliver ?? defaultCatcherBytes
  const drainer = createDrainer({ onProblem })
  const serial = createSerial()
  const open = new Map<string, OpenStream>()
  const stopped = new AbortController()
  let opening: Promise<NodeCatcher> | null = null

  function openCatcher(): Promise<NodeCatcher> {
    opening ??= openNodeCatcher({
      dir,
      segmentBytes: Math.min(largestSegmentBytes, Math.ceil(maxBytes / 8)),
      maxBytes,
      byteRate: options.byteRate ?? defaultByteRate,
      bootId: currentBoot(),
      ...(options.answerWithinMs === undefined ? {} : { answerWithinMs: options.answerWithinMs }),
      onProblem,
    }).catch((error: unknown) => {
      opening = null
      throw error
    })
    return opening
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

  /** Have the catcher let go of a sliver, then read no more. In this order: while the catcher does not answer, the stream may grow. */
  async function close(sliverId: string, catcher: NodeCatcher): Promise<void> {
    await catcher.end(basename(folderOf(sliverId)))
    await open.get(sliverId)?.close()
    open.delete(sliverId)
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
    const catcher = await openCatcher()
    const present = open.get(sliverId)
    if (present?.measureDir !== measureDir || !(await present.hasFifo())) {
      if (present !== undefined) await close(sliverId, catcher)
      await begin(sliverId, { measureDir, catcher })
    }
    await catcher.want(basename(folderOf(sliverId)), fifoPath(measureDir))
  }

  async function begin(
    sliverId: string,
    { measureDir, catcher }: { readonly measureDir: string; readonly catcher: NodeCatcher },
  ): Promise<void> {
    const folder = folderOf(sliverId)
    await endOwnCatcher(folder)
    let stream = await find(sliverId)
    if (stream === null || isOfAnotherBoot(stream)) {
      // It may still write into the folder of a stream whose removal was cut short.
      await catcher.end(basename(folder))
      if (stream !== null) await finish(sliverId)
      stream = await beginStream(folder)
    }
    const reader = readerOf(sliverId, stream)
    open.set(sliverId, await openStream({ spool, reader, drainer, dir: folder, measureDir }))
  }

  async function remove(sliverId: string): Promise<void> {
    const folder = folderOf(sliverId)
    const catcher = await openCatcher()
    const measureDir = open.get(sliverId)?.measureDir
    await close(sliverId, catcher)
    await endOwnCatcher(folder)
    if (measureDir !== undefined) await rm(fifoPath(measureDir), { force: true })
    await finish(sliverId)
    catcher.forget(basename(folder))
  }

  /** Do what concerns one sliver in the order it was asked for. */
  function inTurn(sliver: string, task: () => Promise<void>): Promise<void> {
    return serial.run(sliver, async () => {
      try {
        stopped.signal.throwIfAborted()
        await task()
      } catch (error) {
        stopped.signal.throwIfAborted()
        const reason = error instanceof Error ? error.message : String(error)
        throw new LabError('LAB_AGENT_CATCHER_FAILED', { sliver, reason }, { cause: error })
      }
    })
  }

  return {
    ensure: (sliverId, measureDir) => inTurn(sliverId, () => ensure(sliverId, resolve(measureDir))),
    remove: (sliverId) => inTurn(sliverId, () => remove(sliverId)),
    async stop() {
      stopped.abort()
      await (await opening?.catch(() => null))?.close()
      await serial.idle()
      await Promise.all([...open.values()].map((stream) => stream.close()))
      open.clear()
    },
  }
}
