import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  openArchives,
  type Archives,
  type ArchivesOptions,
  type DataTarget,
} from '../../../../agent/src/sliver/data/archives.ts'

const { signal } = new AbortController()
const keptMiB = (): number => 0
const content = Buffer.from('what the archive contains')
const data: DataTarget = {
  uri: '/archive',
  sha256: createHash('sha256').update(content).digest('hex'),
  size_bytes: content.length,
}

let dir: string
/** The bytes from which on each download was asked for. */
let asked: number[]
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cl-test-data-'))
  asked = []
})
afterEach(() => rm(dir, { recursive: true }))

/** Archives of a server that sends this, in pieces of a byte, and breaks the connection after so many. */
function open(
  options: {
    readonly sends?: Buffer
    readonly breaksAfter?: number
    readonly parts?: boolean
  } = {},
): Archives {
  const { sends = content, breaksAfter = Infinity, parts = true } = options
  const fetchFrom: ArchivesOptions['fetchFrom'] = (_uri, wantedByte) => {
    asked.push(wantedByte)
    const fromByte = parts ? wantedByte : 0
    return Promise.resolve({
      fromByte,
      content: (async function* () {
        for (const [index, byte] of sends.subarray(fromByte).entries()) {
          if (index === breaksAfter) throw new Error('the network is gone')
          yield await Promise.resolve(Buffer.of(byte))
        }
      })(),
    })
  }
  return openArchives({ dir, fetchFrom })
}

const read = (archives: Archives): Promise<string> =>
  archives.use(data, { keptMiB, signal, task: (file) => readFile(file, 'utf8') })

it('downloads an archive once, also for two slivers at the same time, and keeps it while a sliver has it', async () => {
  const archives = open()
  const both = await Promise.all([read(archives), read(archives)])
  expect([...both, await read(open())]).toEqual([content, content, content].map(String))
  expect(asked).toEqual([0])
  await archives.prune((sha256) => sha256 === data.sha256)
  expect(await readdir(dir)).toEqual([data.sha256])
  await archives.use(data, { keptMiB, signal, task: () => archives.prune(() => false) })
  expect(await readdir(dir)).toEqual([data.sha256])
  await archives.prune(() => false)
  expect(await readdir(dir)).toEqual([])
})

it('goes on where a download was cut, also after a restart', async () => {
  await expect(read(open({ breaksAfter: 7 }))).rejects.toMatchObject({
    code: 'LAB_DATA_UNREACHABLE',
    details: { reason: 'the network is gone' },
  })
  await expect(read(open({ breaksAfter: 5 }))).rejects.toMatchObject({
    code: 'LAB_DATA_UNREACHABLE',
  })
  expect(await read(open())).toBe(String(content))
  expect(asked).toEqual([0, 7, 12])
})

it('goes on where a download for a run was cut, although no sliver has its archive', async () => {
  const archives = open({ breaksAfter: 9 })
  await expect(read(archives)).rejects.toMatchObject({ code: 'LAB_DATA_UNREACHABLE' })
  await archives.prune(() => false)
  await expect(read(archives)).rejects.toMatchObject({ code: 'LAB_DATA_UNREACHABLE' })
  expect(asked).toEqual([0, 9])
})

it('begins again with a server that sends no parts', async () => {
  await read(open({ breaksAfter: 7 })).catch(() => undefined)
  expect(await read(open({ parts: false }))).toBe(String(content))
})

it('refuses what is not the archive, and does not keep it', async () => {
  const other = Buffer.from(content)
  other.writeUInt8(0, 3)
  await expect(read(open({ sends: other }))).rejects.toMatchObject({ code: 'LAB_DATA_CHECKSUM' })
  expect(await readdir(dir)).toEqual([])
  const longer = Buffer.concat([content, content])
  await expect(read(open({ sends: longer }))).rejects.toMatchObject({
    code: 'LAB_DATA_UNREACHABLE',
    details: { reason: `it is longer than ${content.length} bytes` },
  })
  expect(await read(open())).toBe(String(content))
})

it('leaves free what the node has promised to others', async () => {
  const task = (): Promise<null> => Promise.resolve(null)
  const using = open().use(data, { keptMiB: () => 1e12, signal, task })
  await expect(using).rejects.toMatchObject({ code: 'LAB_DATA_NO_ROOM' })
})

it('lets a sliver stop waiting at once for the download of another sliver, which goes on', async () => {
  const [begun, sent] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()]
  const archives = openArchives({
    dir,
    fetchFrom: () => {
      begun.resolve(undefined)
      return Promise.resolve({
        fromByte: 0,
        content: (async function* () {
          await sent.promise
          yield content
        })(),
      })
    },
  })
  const first = read(archives)
  await begun.promise
  const removal = new AbortController()
  const task = (): Promise<never> => Promise.reject(new Error('there is nothing to use'))
  const second = archives.use(data, { keptMiB, signal: removal.signal, task })
  removal.abort()
  await expect(second).rejects.toThrow('aborted')
  sent.resolve(undefined)
  expect(await first).toBe(String(content))
})
