import { LabError, sendUpload, type Upload, type UploadRequests } from '@community-lab/contract'
import { expect, it } from 'vitest'

const mib = 1024 ** 2
const sha256 = 'a'.repeat(64)

/** A server that keeps what has come. `send` decides how much of a part comes before the connection breaks; null: all of it. */
function aServer(sizeBytes: number, send: (fromByte: number) => number | null) {
  const begun: Upload[] = []
  let isThere = false
  const requests: UploadRequests = {
    isThere: () => Promise.resolve(isThere),
    list: () => Promise.resolve(begun.slice(-1)),
    begin() {
      const upload: Upload = {
        ...{ uri: `/${begun.length}/`, id: String(begun.length), sha256, offset_bytes: 0 },
        length_bytes: sizeBytes,
        created_on: '2026-05-04T12:00:00Z',
        expires_on: '2026-05-05T12:00:00Z',
      }
      begun.push(upload)
      return Promise.resolve(upload)
    },
    send(uri, { fromByte, endByte }) {
      const came = send(fromByte)
      const last = begun.at(-1)
      if (last === undefined) throw new Error('nothing was begun')
      begun.push({ ...last, offset_bytes: came === null ? endByte : fromByte + came })
      if (came !== null)
        throw new LabError('LAB_CONNECTION_FAILED', { url: uri, reason: 'cut', attempts: 1 })
      isThere = endByte === sizeBytes
      return Promise.resolve()
    },
  }
  return { requests, isThere: () => isThere }
}

function run(sizeBytes: number, requests: UploadRequests): Promise<void> {
  return sendUpload(requests, {
    sizeBytes,
    sha256,
    onProgress: () => undefined,
    sleep: () => Promise.resolve(),
    signal: new AbortController().signal,
  })
}

it('goes on however often the connection breaks, as long as the server gets more', async () => {
  let left = 100
  const server = aServer(200 * mib, () => (left-- > 0 ? mib : null))
  await run(200 * mib, server.requests)
  expect(server.isThere()).toBe(true)
})

it('ends when the server gets no more for long, and when it refuses the whole', async () => {
  const silent = aServer(mib, () => 0)
  await expect(run(mib, silent.requests)).rejects.toMatchObject({ code: 'LAB_CONNECTION_FAILED' })
  const refusal = new LabError('LAB_REQUEST_TOO_LARGE', { limitBytes: 1 })
  const refusing = { ...silent.requests, list: () => Promise.reject(refusal) }
  await expect(run(mib, refusing)).rejects.toBe(refusal)
})

it('ends when the server has it, although the answer to the last part was lost', async () => {
  let answers = 0
  const { requests } = aServer(mib, () => null)
  const losing: UploadRequests = {
    ...requests,
    async send(...part) {
      await requests.send(...part)
      answers += 1
      throw new LabError('LAB_CONNECTION_FAILED', { url: '/', reason: 'cut', attempts: 1 })
    },
  }
  await run(mib, losing)
  expect(answers).toBe(1)
})
