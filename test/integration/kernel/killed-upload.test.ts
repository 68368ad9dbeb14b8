import { createHash, randomBytes } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Group, path, routes, Upload } from '@community-lab/contract'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { afterEach, expect, it } from 'vitest'
import { createHttpClient } from '../../../kernel/src/http/client.ts'
import { packData } from '@community-lab/contract/files'
import { uploadData } from '../../../kernel/src/sliver/upload-data.ts'
import { startPostgres } from '../../support/postgres.ts'
import { makeOrdinaryFolder } from '../../support/postgres-user.ts'
import { startServer, type ServerProcess } from '../server/world/process.ts'
import { openWay } from '../server/world/way.ts'

const mib = 1024 ** 2
const shown = Symbol.for('community-lab.display')

afterEach(() => Reflect.deleteProperty(globalThis, shown))

/** Show in a list what a notebook would show. */
function collectShown(): string[] {
  const texts: string[] = []
  const update = (bundle: Readonly<Record<string, unknown>>) =>
    void texts.push(String(bundle['text/plain']))
  Reflect.set(globalThis, shown, { display: update, newDisplay: () => ({ update }) })
  return texts
}

it('uploads data although the cell is interrupted in its middle, the connection breaks, and the server is killed', async () => {
  const dir = await makeOrdinaryFolder()
  try {
    await using postgres = await startPostgres()
    let server = await startServer(dir, postgres.url)
    using way = await openWay(join(dir, 'server.sock'))
    const made = await server.ask('POST', routes.groups, { name: 'red' })
    const { id } = Value.Parse(Group, made.body)
    const uploadsUri = path(routes.groupDataUploads, { id })
    const readUploads = async (from: ServerProcess) =>
      Value.Parse(Type.Array(Upload), (await from.ask('GET', uploadsUri)).body)
    const readOffset = async () => (await readUploads(server))[0]?.offset_bytes
    const packed = await packData(gzipSync(randomBytes(40 * mib), { level: 0 }))
    const uri = path(routes.groupData, { id, hash: packed.sha256 })
    const token = (await readFile(join(dir, 'token'), 'utf8')).trim()
    const http = createHttpClient({ url: way.url, token, signal: new AbortController().signal })
    const upload = (signal = new AbortController().signal) =>
      uploadData(http, packed, { uri, uploadsUri, slice: 'crawl', signal })
    const texts = collectShown()

    const cell = new AbortController()
    const first = way.stopAfter(20 * mib)
    const interrupted = expect(upload(cell.signal)).rejects.toThrow('interrupted')
    await first
    // What has not moved for a second is told.
    await expect.poll(() => texts.length).toBeGreaterThan(0)
    cell.abort(new DOMException('interrupted', 'AbortError'))
    await interrupted
    expect(texts.at(-1)).toMatch(/^slice crawl: the upload of its data has stopped/u)
    await expect.poll(readOffset).toBeGreaterThanOrEqual(16 * mib)
    way.open()

    const [begun] = await readUploads(server)
    const second = way.stopAfter(4 * mib)
    const again = upload()
    await second
    // The connection is cut.
    way.open()
    const third = way.stopAfter(4 * mib)
    await third
    await server.end('SIGKILL')
    server = await startServer(dir, postgres.url)
    const [resumed] = await readUploads(server)
    expect(resumed?.id).toBe(begun?.id)
    expect(resumed?.offset_bytes).toBeGreaterThan(begun?.offset_bytes ?? Infinity)
    way.open()
    await again
    expect(texts.some((text) => text.includes('trying again: '))).toBe(true)
    expect(texts.at(-1)).toBe('slice crawl: its data is uploaded, 40.0 MiB')
    expect(await readUploads(server)).toEqual([])
    const got = await fetch(way.url + uri, { headers: { authorization: `Bearer ${token}` } })
    const sha256 = createHash('sha256')
      .update(await got.bytes())
      .digest('hex')
    expect(sha256).toBe(packed.sha256)
    // The same is not sent again.
    await upload()
    expect(await readUploads(server)).toEqual([])
    await http.close()
    expect(await server.end('SIGTERM')).toBe(0)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
