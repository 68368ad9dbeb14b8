import { randomBytes } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import { createQueue, LabError } from '@community-lab/contract'
import { hashFile } from '@community-lab/contract/host'
import { brokenOff, receive, type Receiving } from './receive.ts'
import { openUploadFiles } from './upload-files.ts'

/** Options of {@link openUploads}. */
export interface UploadsOptions {
  /** The folder of unfinished uploads, for them alone, on the disk of the files that they become. */
  readonly dir: string
  /** The disk space that uploads must leave free, in bytes. */
  readonly minFreeBytes: number
  /** Called when background work has failed. The work is repeated. */
  readonly onError: (error: unknown) => void
  /** The longest time for which a sender may send nothing, in milliseconds; default: a minute. */
  readonly silenceMs?: number
  readonly nowMs?: () => number
}

/** What is known of an upload before its first byte. */
export interface UploadRequest {
  /** What it is for, such as `template 3`. */
  readonly target: string
  /** Whose bounds hold for it, such as `group 2`, and the same with its name. */
  readonly owner: string
  readonly ownerInWords: string
  /** Its length, in bytes; at least 1. */
  readonly lengthBytes: number
  /** The SHA-256 that its sender has announced; null: none. */
  readonly sha256: string | null
  /** Whether it may have less than its length, because the request that brings it has more in it. Default: no. */
  readonly mayBeShorter?: boolean
  /** Whether it can be resumed. Otherwise it ends with the request that brings it, or with the server. */
  readonly isResumable: boolean
  /** Refuse an upload that would exceed what its owner may have. `promisedBytes` are in other uploads of the owner. */
  readonly requireRoom: (promisedBytes: number) => Promise<void>
}

/** The known facts of an unfinished upload. */
export interface UploadState {
  readonly id: string
  readonly target: string
  readonly lengthBytes: number
  /** The number of bytes that are here. */
  readonly offsetBytes: number
  readonly sha256: string | null
  readonly createdMs: number
  readonly expiresMs: number
  /** Whether it was finished; then its bytes are not here any more. */
  readonly isFinished: boolean
}

/** A file that was received completely, and is what its sender has announced. */
export interface UploadedFile {
  /** It is removed after it was used. */
  readonly file: string
  readonly sha256: string
  readonly sizeBytes: number
}

/**
 * Unfinished uploads. They survive the end of the server, a kill and a power failure, and are visible to nobody else before they are finished. They are bounded: each
 * says its length first and has that reserved; an owner has ten at once, the server a hundred; each is removed a day after its last byte, a week
 * after its beginning, and ten minutes after its last byte when a new one of its owner needs the room.
 */
export interface Uploads extends AsyncDisposable {
  /** Begin an upload. @throws {@link LabError} LAB_UPLOAD_TOO_MANY, LAB_UPLOAD_NO_SPACE, and what `requireRoom` throws. */
  begin(request: UploadRequest): Promise<UploadState>
  /** List the unfinished uploads to a target, the newest first. */
  list(target: string): readonly UploadState[]
  /** Return an upload to a target. A finished one is known for some time. @throws {@link LabError} LAB_NOT_FOUND. */
  find(target: string, id: string): UploadState
  /** End the request that is sending to an upload, if there is one: its sender has come back, and asks where to go on. */
  interrupt(id: string): Promise<void>
  /**
   * Add bytes. An earlier request that still sends to the same upload is ended. What has come stays when the body breaks off.
   *
   * @throws {@link LabError} LAB_UPLOAD_OFFSET, LAB_UPLOAD_BROKEN_OFF, LAB_UPLOAD_NO_SPACE, LAB_REQUEST_TOO_LARGE.
   */
  append(id: string, offsetBytes: number, body: Readable): Promise<UploadState>
  /**
   * Check a complete upload and pass it to `use`. When `use` or the check refuses it for good, it is removed; after another failure it can be finished later.
   *
   * @throws {@link LabError} LAB_UPLOAD_CHECKSUM, and what `use` throws.
   */
  finish<T>(id: string, use: (uploaded: UploadedFile) => Promise<T>): Promise<T>
  /** Remove an upload. */
  cancel(id: string): Promise<void>
  /** Remove the uploads that have expired. */
  expire(): Promise<void>
}

/** The most unfinished uploads of an owner. */
export const uploadsPerOwner = 10
const uploadsAtOnce = 100
const hourMs = 3600_000
/** An upload without a new byte for this long is removed, in milliseconds. */
export const idleMs = 24 * hourMs
const oldestMs = 7 * 24 * hourMs
/** An upload without a new byte for this long gives way to another one of its owner that needs the room, in milliseconds. */
export const abandonedMs = 600_000
const expireEveryMs = 600_000
/** The number of finished uploads that are remembered, for senders that did not get the last answer. */
const finishedKept = 1_000

interface Open extends Receiving {
  readonly target: string
  readonly owner: string
  readonly sha256: string | null
  readonly mayBeShorter: boolean
  readonly createdMs: number
  /** The request that sends to it now. */
  writer: { readonly abort: AbortController; readonly ended: Promise<null> } | null
  /** Sending and finishing, one at a time. */
  readonly inTurn: ReturnType<typeof createQueue>
}

/** Open the uploads of a folder. Those that an earlier process of the server has begun can be resumed. */
export async function openUploads(options: UploadsOptions): Promise<Uploads> {
  const { dir, minFreeBytes, onError, silenceMs = 60_000, nowMs = Date.now } = options
  const files = await openUploadFiles(dir)
  const unfinished = new Map<string, Open>()
  const finished = new Map<string, UploadState>()
  const inTurn = createQueue()
  for (const { stored, offsetBytes, lastMs } of await files.find())
    unfinished.set(stored.id, {
      ...stored,
      ...{
        mayBeShorter: false,
        offsetBytes,
        lastMs,
        hash: null,
        writer: null,
        inTurn: createQueue(),
      },
    })

  const expiresMs = ({ lastMs, createdMs }: Open): number =>
    Math.min(lastMs + idleMs, createdMs + oldestMs)
  const show = (upload: Open): UploadState => ({
    id: upload.id,
    target: upload.target,
    lengthBytes: upload.lengthBytes,
    // A sender that sees a complete upload sends nothing more, and nobody would finish it. So the last byte of one that is not finished is sent again.
    offsetBytes: Math.min(upload.offsetBytes, upload.lengthBytes - 1),
    sha256: upload.sha256,
    createdMs: upload.createdMs,
    expiresMs: expiresMs(upload),
    isFinished: false,
  })
  const need = (id: string): Open => {
    const upload = unfinished.get(id)
    if (upload === undefined) throw new LabError('LAB_NOT_FOUND', { kind: 'upload', id })
    return upload
  }
  const remaining = (uploads: Iterable<Open>): number =>
    [...uploads].reduce((sum, each) => sum + each.lengthBytes - each.offsetBytes, 0)

  async function freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(dir)
    return bavail * bsize - minFreeBytes
  }

  async function interrupt({ writer }: Open): Promise<void> {
    writer?.abort.abort()
    await writer?.ended
  }

  async function cancel(id: string): Promise<void> {
    const upload = unfinished.get(id)
    if (upload === undefined) return
    unfinished.delete(id)
    await interrupt(upload)
    await files.remove(id)
  }

  async function expire(): Promise<void> {
    for (const upload of [...unfinished.values()])
      if (expiresMs(upload) <= nowMs()) await cancel(upload.id)
  }

  /** Require that a new upload fits if some others are removed. */
  async function requireRoom(request: UploadRequest, removed: readonly Open[]): Promise<void> {
    const { owner, ownerInWords, lengthBytes } = request
    const others = [...unfinished.values()].filter((each) => !removed.includes(each))
    const own = others.filter((each) => each.owner === owner)
    if (own.length >= uploadsPerOwner)
      throw new LabError('LAB_UPLOAD_TOO_MANY', { of: ownerInWords, limit: uploadsPerOwner })
    if (others.length >= uploadsAtOnce)
      throw new LabError('LAB_UPLOAD_TOO_MANY', { of: 'the server', limit: uploadsAtOnce })
    await request.requireRoom(own.reduce((sum, each) => sum + each.lengthBytes, 0))
    const removedBytes = removed.reduce((sum, each) => sum + each.offsetBytes, 0)
    const free = Math.max(0, (await freeBytes()) + removedBytes - remaining(others))
    if (lengthBytes > free)
      throw new LabError('LAB_UPLOAD_NO_SPACE', { neededBytes: lengthBytes, freeBytes: free })
  }

  /** Make room for a new upload. Abandoned ones of the same owner give way if that helps, as few as possible, the longest silent first. */
  async function makeRoom(request: UploadRequest): Promise<void> {
    const abandoned = [...unfinished.values()]
      .filter(({ owner, writer }) => owner === request.owner && writer === null)
      .filter(({ lastMs }) => lastMs + abandonedMs <= nowMs())
      .sort((one, other) => one.lastMs - other.lastMs)
    for (let count = 0; ; count++) {
      const removed = abandoned.slice(0, count)
      try {
        await requireRoom(request, removed)
        for (const { id } of removed) await cancel(id)
        return
      } catch (error) {
        if (count === abandoned.length) throw error
      }
    }
  }

  function write(upload: Open, offsetBytes: number, body: Readable): Promise<void> {
    const abort = new AbortController()
    const ended = Promise.withResolvers<null>()
    upload.writer = { abort, ended: ended.promise }
    return receive(upload, {
      file: files.bytes(upload.id),
      offsetBytes,
      body: addAbortSignal(abort.signal, body),
      requireSpace,
      silenceMs,
      nowMs,
    }).finally(() => {
      upload.writer = null
      ended.resolve(null)
    })
  }

  async function requireSpace(): Promise<void> {
    const free = await freeBytes()
    if (free < 0) throw new LabError('LAB_UPLOAD_NO_SPACE', { neededBytes: -free, freeBytes: 0 })
  }

  async function check(upload: Open): Promise<UploadedFile> {
    const { id, target, sha256: expected, offsetBytes: sizeBytes, lengthBytes } = upload
    if (sizeBytes < lengthBytes && !upload.mayBeShorter) throw brokenOff(upload)
    const file = files.bytes(id)
    const found =
      upload.hash?.bytes === sizeBytes
        ? upload.hash.hash.copy().digest('hex')
        : await hashFile(file)
    if (expected !== null && expected !== found)
      throw new LabError('LAB_UPLOAD_CHECKSUM', { target, expected, found })
    return { file, sha256: found, sizeBytes }
  }

  await expire()
  const timer = setInterval(() => void expire().catch(onError), expireEveryMs)
  timer.unref()
  return {
    begin: (request) =>
      inTurn(async () => {
        const { target, owner, lengthBytes, sha256, isResumable, mayBeShorter = false } = request
        await makeRoom(request)
        const createdMs = nowMs()
        const id = randomBytes(16).toString('base64url')
        const stored = { version: 1, id, target, owner, lengthBytes, sha256, createdMs } as const
        await files.make(id, isResumable ? stored : null)
        const upload: Open = {
          ...stored,
          ...{ mayBeShorter, offsetBytes: 0, lastMs: createdMs, hash: null, writer: null },
          inTurn: createQueue(),
        }
        unfinished.set(id, upload)
        return show(upload)
      }),
    list: (target) =>
      [...unfinished.values()]
        .filter((each) => each.target === target)
        .map(show)
        .reverse(),
    find(target, id) {
      const upload = unfinished.get(id)
      const state = upload === undefined ? finished.get(id) : show(upload)
      if (state?.target === target) return state
      throw new LabError('LAB_NOT_FOUND', { kind: 'upload', id: id.slice(0, 128) })
    },
    interrupt: (id) => interrupt(need(id)),
    async append(id, offsetBytes, body) {
      const upload = need(id)
      await interrupt(upload)
      // What is being finished must not change.
      return upload.inTurn(async () => {
        const { offsetBytes: here, lengthBytes } = need(id)
        const isAgain = here === lengthBytes && offsetBytes === lengthBytes - 1
        if (offsetBytes !== here && !isAgain)
          throw new LabError('LAB_UPLOAD_OFFSET', {
            upload: id,
            expected: show(upload).offsetBytes,
            found: offsetBytes,
          })
        await write(upload, offsetBytes, body)
        return { ...show(upload), offsetBytes: upload.offsetBytes }
      })
    },
    async finish(id, use) {
      const upload = need(id)
      return upload.inTurn(async () => {
        need(id)
        try {
          const result = await use(await check(upload))
          const { lengthBytes: offsetBytes } = upload
          finished.set(id, { ...show(upload), offsetBytes, isFinished: true })
          for (const old of [...finished.keys()].slice(0, -finishedKept)) finished.delete(old)
          await cancel(id)
          return result
        } catch (error) {
          const isFinal = LabError.is(error) && !error.retryable && error.status < 500
          if (isFinal) await cancel(id)
          throw error
        }
      })
    },
    cancel,
    expire,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await Promise.all([...unfinished.values()].map(interrupt))
    },
  }
}
