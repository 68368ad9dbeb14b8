import { rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { LabError, messageOf } from '@community-lab/contract'
import { exists } from '../../errno.ts'
import { createSerial } from '../../serial.ts'
import type { LineContext } from '../domain/line-samples.ts'
import type { Rate } from '../domain/rate.ts'
import type { Sample } from '../sample.ts'
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
export interface SliverStreamsOptions extends Pick<LineContext, 'checks'> {
  readonly spool: Spool
  /** The folder of the catcher and its files, for it alone. It must outlive the agent. */
  readonly dir: string
  /** The most bytes per sliver that are caught and not yet read into the spool; default {@link defaultCatcherBytes}. */
  readonly maxBytesPerSliver?: number
  /** The rate at which a sliver may write, in bytes; default {@link defaultByteRate}. */
  readonly byteRate?: Rate
  /** The longest time until the catcher answers, in milliseconds; default 10 s. */
  readonly answerWithinMs?: number
  /** Called for problems between calls: a catcher that cannot be started again, or a disk error. */
  readonly onProblem?: (error: unknown) => void
}

/**
 * The streams of lines that programs in slivers write, each from its FIFO into the spool. Each call may fail because of the catcher or the disk. Then nothing
 * is lost, and the call may be repeated.
 */
export interface SliverStreams {
  /**
   * Catch a sliver's lines: make its FIFO `measure` (mode 0622: any of its users may write) in the folder that the sliver sees as `/run/community-lab`, start a
   * catcher or take over that of an earlier agent, and read what it has caught. Idempotent; quick when nothing is wrong. When it fails for a sliver, the
   * catcher goes on trying.
   * @throws {@link LabError} LAB_AGENT_CATCHER_FAILED.
   */
  ensure(sliverId: string, measureDir: string): Promise<void>
  /**
   * Append a sample of a sliver, with marks, after those of all lines that its programs have written before this call. Rows that tell of their lost lines come before it, too.
   * Returns false when the sliver's stream is not read now, or the spool is full; then it may be called again.
   * @throws {@link LabError} LAB_AGENT_CATCHER_FAILED.
   */
  appendAfter(sample: Sample, marks: Readonly<Record<string, unknown>>): Promise<boolean>
  /** Read a sliver's stream to its end, and remove its FIFO and its files. Call it after its processes have ended. Idempotent. */
  remove(sliverId: string): Promise<void>
  /** Stop reading at once, so that this process can end. The catcher runs on and keeps what is written meanwhile. Running calls fail. */
  stop(): Promise<void>
}

/** The default for the most disk space of one sliver's caught lines, in bytes. */
export const defaultCatcherBytes = 16 * 1024 * 1024
/** The default for the rate at which one sliver may write, in bytes: enough for 5,000 lines of 200 bytes per second. */
const defaultByteRate: Rate = { perSecond: 1024 * 1024, burst: 8 * 1024 * 1024 }
const largestSegmentBytes = 1024 * 1024

/**
 * Catch the lines that the programs in slivers write, with one process for the whole node (`agent/perl/catcher.pl`).
 *
 * A writer waits only for the catcher, never for this process. A line that was written successfully arrives at the server exactly once, even when this process
 * or the catcher is killed at any moment. Beyond `maxBytesPerSliver` new lines are dropped, and `dropped` reports their number. Beyond `byteRate` they are
 * refused, and `rejected` reports them. Lines that cannot be parsed become `rejected`. The time of a line is when the catcher saw it, a few milliseconds after
 * it was written.
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

  /** Find a sliver's stream. This agent cannot read a stream that a newer agent has begun: then its folder is renamed, and the sliver gets a new stream. */
  async function find(sliverId: string): Promise<Stream | null> {
    const stream = await findStream(folderOf(sliverId))
    if (stream !== 'newer') return stream
    const reason = `a newer agent has kept its lines, which now are in ${await setAside(folderOf(sliverId))}`
    onProblem(new LabError('LAB_AGENT_CATCHER_FAILED', { sliver: sliverId, reason }))
    return null
  }

  function readerOf(sliverId: string, stream: Stream) {
    const dir = folderOf(sliverId)
    const { checks } = options
    const context = { source: sliverId, ...(checks === undefined ? {} : { checks }) }
    const wasCut = isOfAnotherBoot(stream)
    return createStreamReader({
      spool,
      dir,
      markKey: stream.markKey,
      ...context,
      wasCut,
      onProblem,
    })
  }

  /** Make the catcher close a sliver's FIFO, then stop reading. The order matters: the stream may grow until the catcher answers. */
  async function close(sliverId: string, catcher: NodeCatcher): Promise<void> {
    await catcher.end(basename(folderOf(sliverId)))
    await open.get(sliverId)?.close()
    open.delete(sliverId)
  }

  /** Read a stream that is not written any more to its end, and remove it. */
  async function finish(sliverId: string): Promise<void> {
    const folder = folderOf(sliverId)
    const stream = await find(sliverId)
    if (stream !== null) {
      await readerOf(sliverId, stream).drainLast()
      await spool.sync()
    }
    await removeStream(folder)
    // The mark goes last: without it, files that are still there would be read a second time.
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
      // The catcher may still write into the folder of a stream whose removal was interrupted.
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

  /** Run the tasks of one sliver in the order of the calls. */
  function inTurn(sliver: string, task: () => Promise<void>): Promise<void> {
    return serial.run(sliver, async () => {
      try {
        stopped.signal.throwIfAborted()
        await task()
      } catch (error) {
        stopped.signal.throwIfAborted()
        const reason = messageOf(error)
        throw new LabError('LAB_AGENT_CATCHER_FAILED', { sliver, reason }, { cause: error })
      }
    })
  }

  return {
    ensure: (sliverId, measureDir) => inTurn(sliverId, () => ensure(sliverId, resolve(measureDir))),
    async appendAfter(sample, marks) {
      const folder = folderOf(sample.source)
      const found: { stream?: OpenStream; isGone?: boolean } = {}
      await inTurn(sample.source, async () => {
        const stream = open.get(sample.source)
        if (stream === undefined) found.isGone = !(await exists(folder))
        else {
          await (await openCatcher()).empty(basename(folder))
          found.stream = stream
        }
      })
      // All that the sliver has ever written is in the spool.
      if (found.isGone === true) return spool.append([sample], { marks, whenFull: 'refuse' })
      return (await found.stream?.appendAfter(sample, marks)) ?? false
    },
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
