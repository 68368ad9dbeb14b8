import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  abandonedMs,
  idleMs,
  openUploads,
  uploadsPerOwner,
  type UploadRequest,
  type Uploads,
  type UploadsOptions,
} from '../../../../server/src/upload/uploads.ts'

const content = randomBytes(300_000)
const sha256 = createHash('sha256').update(content).digest('hex')
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cl-test-'))
})
afterEach(() => rm(dir, { recursive: true }))

const open = (options: Partial<UploadsOptions> = {}): Promise<Uploads> =>
  openUploads({
    dir,
    minFreeBytes: 0,
    onError: (error) => {
      throw error
    },
    ...options,
  })

function aRequest(changes: Partial<UploadRequest> = {}): UploadRequest {
  return {
    target: 'template 1',
    owner: 'group 1',
    ownerInWords: 'group red',
    lengthBytes: content.length,
    sha256,
    isResumable: true,
    requireRoom: () => Promise.resolve(),
    ...changes,
  }
}

const part = (from: number, to = content.length) => Readable.from([content.subarray(from, to)])
/** Read what was uploaded. */
const take = async ({ file }: { readonly file: string }) => readFile(file)

/** Send a part, and break off. */
async function breakOff(uploads: Uploads, id: string, from: number, to: number): Promise<void> {
  const body = new PassThrough()
  const sent = uploads.append(id, from, body)
  body.write(content.subarray(from, to), () => body.destroy(new Error('the link is down')))
  await expect(sent).rejects.toMatchObject({
    code: 'LAB_UPLOAD_BROKEN_OFF',
    details: { received: to, length: content.length },
  })
}

it('comes whole out of parts, also when one broke off and the server was killed between them', async () => {
  const first = await open()
  const { id } = await first.begin(aRequest())
  await breakOff(first, id, 0, 100_000)
  // A killed server does not close it.
  await using second = await open()
  expect(second.list('template 1')).toMatchObject([{ id, offsetBytes: 100_000, sha256 }])
  await second.append(id, 100_000, part(100_000))
  expect(await second.finish(id, take)).toEqual(content)
  expect(await readdir(dir)).toEqual([])
  expect(second.list('template 1')).toEqual([])
  // Its sender may not have got the answer.
  expect(second.find('template 1', id)).toMatchObject({
    isFinished: true,
    offsetBytes: content.length,
  })
})

it('is finished by its last byte again when the server was killed before it was used', async () => {
  const first = await open()
  const { id } = await first.begin(aRequest())
  await first.append(id, 0, part(0))
  await using second = await open()
  const { offsetBytes } = second.find('template 1', id)
  expect(offsetBytes).toBe(content.length - 1)
  await second.append(id, offsetBytes, part(offsetBytes))
  expect(await second.finish(id, take)).toEqual(content)
})

it('goes on only where it stopped, and holds no more than it has announced', async () => {
  await using uploads = await open()
  const { id } = await uploads.begin(aRequest({ lengthBytes: 1000 }))
  await uploads.append(id, 0, part(0, 500))
  await expect(uploads.append(id, 400, part(400, 1000))).rejects.toMatchObject({
    code: 'LAB_UPLOAD_OFFSET',
    details: { expected: 500, found: 400 },
  })
  await expect(uploads.append(id, 500, part(500, 1001))).rejects.toMatchObject({
    code: 'LAB_REQUEST_TOO_LARGE',
    details: { limitBytes: 1000 },
  })
  await expect(uploads.finish(id, take)).rejects.toMatchObject({ code: 'LAB_UPLOAD_BROKEN_OFF' })
  expect(() => uploads.find('template 2', id)).toThrow('there is no upload')
})

it('ends an earlier request that still sends when its sender comes back', async () => {
  await using uploads = await open()
  const { id } = await uploads.begin(aRequest())
  const silent = new PassThrough()
  const before = uploads.append(id, 0, silent)
  const refused = expect(before).rejects.toMatchObject({ code: 'LAB_UPLOAD_BROKEN_OFF' })
  silent.write(content.subarray(0, 10))
  await expect.poll(() => uploads.find('template 1', id).offsetBytes).toBe(10)
  await uploads.interrupt(id)
  await refused
  await uploads.append(id, 10, part(10))
  expect(await uploads.finish(id, take)).toEqual(content)
})

it('is removed when it is not what its sender has announced, or is refused for good', async () => {
  await using uploads = await open()
  const { id } = await uploads.begin(aRequest({ sha256: '0'.repeat(64) }))
  await uploads.append(id, 0, part(0))
  await expect(uploads.finish(id, take)).rejects.toMatchObject({
    code: 'LAB_UPLOAD_CHECKSUM',
    details: { target: 'template 1', found: sha256 },
  })
  expect(await readdir(dir)).toEqual([])
  const again = await uploads.begin(aRequest())
  await uploads.append(again.id, 0, part(0))
  // The database is away for a moment.
  const fail = () => Promise.reject(new Error('connection refused'))
  await expect(uploads.finish(again.id, fail)).rejects.toThrow('connection refused')
  expect(await uploads.finish(again.id, take)).toEqual(content)
})

it('is refused before its first byte when its owner or the disk has no room', async () => {
  await using uploads = await open()
  const promised: number[] = []
  const requireRoom = (bytes: number) => Promise.resolve(void promised.push(bytes))
  const begun = await Promise.all(
    Array.from({ length: uploadsPerOwner }, () => uploads.begin(aRequest({ requireRoom }))),
  )
  expect(promised).toEqual(begun.map((_, others) => others * content.length))
  const tooMany = {
    code: 'LAB_UPLOAD_TOO_MANY',
    details: { of: 'group red', limit: uploadsPerOwner },
  }
  await expect(uploads.begin(aRequest())).rejects.toMatchObject(tooMany)
  await uploads.cancel(begun[0]?.id ?? '')
  await uploads.begin(aRequest())
  const huge = aRequest({ owner: 'group 2', lengthBytes: Number.MAX_SAFE_INTEGER })
  await expect(uploads.begin(huge)).rejects.toMatchObject({ code: 'LAB_UPLOAD_NO_SPACE' })
})

it('breaks off when its sender is silent, and what came before stays', async () => {
  await using uploads = await open({ silenceMs: 20 })
  const { id } = await uploads.begin(aRequest())
  const body = new PassThrough()
  body.write(content.subarray(0, 1000))
  await expect(uploads.append(id, 0, body)).rejects.toMatchObject({
    code: 'LAB_UPLOAD_BROKEN_OFF',
    cause: { message: 'its sender is silent' },
  })
  expect(uploads.find('template 1', id).offsetBytes).toBe(1000)
  await uploads.append(id, 1000, part(1000))
  expect(await uploads.finish(id, take)).toEqual(content)
})

it('gives way to a new one of its owner once it seems to be abandoned, but only where that helps', async () => {
  let nowMs = Date.now()
  await using uploads = await open({ nowMs: () => nowMs })
  const ids: string[] = []
  for (let number = 0; number < uploadsPerOwner; number += 1) {
    ids.push((await uploads.begin(aRequest())).id)
    nowMs += 1000
  }
  await uploads.append(ids[0] ?? '', 0, part(0, 10))
  nowMs += abandonedMs - 1000
  const left = () => uploads.list('template 1').map(({ id }) => id)
  const tooLarge = aRequest({ requireRoom: () => Promise.reject(new Error('no room')) })
  await expect(uploads.begin(tooLarge)).rejects.toThrow('no room')
  expect(left()).toHaveLength(uploadsPerOwner)
  const { id } = await uploads.begin(aRequest())
  // The first has had a byte since.
  expect(left()).toEqual([id, ...ids.filter((each) => each !== ids[1]).reverse()])
  // What others have abandoned stays.
  const others = aRequest({ owner: 'group 2', requireRoom: tooLarge.requireRoom })
  await expect(uploads.begin(others)).rejects.toThrow('no room')
  expect(left()).toHaveLength(uploadsPerOwner)
})

it('is given up a day after its last byte, and a week after its beginning', async () => {
  let nowMs = Date.now()
  await using uploads = await open({ nowMs: () => nowMs })
  const idle = await uploads.begin(aRequest())
  const trickles = await uploads.begin(aRequest())
  for (let day = 0; day < 6; day += 1) {
    nowMs += idleMs - 1000
    await uploads.append(trickles.id, day * 10, part(day * 10, day * 10 + 10))
    await uploads.expire()
    expect(uploads.list('template 1').map(({ id }) => id)).toEqual(
      day === 0 ? [trickles.id, idle.id] : [trickles.id],
    )
  }
  nowMs += idleMs
  await uploads.expire()
  expect(await readdir(dir)).toEqual([])
})

it('removes at its start what nobody can resume', async () => {
  const first = await open()
  await first.begin(aRequest({ isResumable: false }))
  const { id } = await first.begin(aRequest())
  await writeFile(join(dir, id, 'upload.json'), '{"version":1')
  await using second = await open()
  expect(second.list('template 1')).toEqual([])
  expect(await readdir(dir)).toEqual([])
})
