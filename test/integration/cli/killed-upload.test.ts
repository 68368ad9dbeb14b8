import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { path, routes, Template, Upload } from '@community-lab/contract'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { expect, it } from 'vitest'
import { startPostgres } from '../../support/postgres.ts'
import { makeOrdinaryFolder } from '../../support/postgres-user.ts'
import { openWay } from '../server/world/way.ts'
import { startServer, type ServerProcess } from '../server/world/process.ts'

const mib = 1024 ** 2

async function readTemplate(server: ServerProcess): Promise<Template> {
  const { body } = await server.ask('GET', path(routes.template, { id: 1 }))
  return Value.Parse(Template, body)
}

async function readUploads(server: ServerProcess): Promise<Upload[]> {
  const { body } = await server.ask('GET', path(routes.templateUploads, { id: 1 }))
  return Value.Parse(Type.Array(Upload), body)
}

it('uploads an image although first the client is killed in its middle, and then the server', async () => {
  const dir = await makeOrdinaryFolder()
  try {
    await using postgres = await startPostgres()
    let server = await startServer(dir, postgres.url)
    const token = (await readFile(join(dir, 'token'), 'utf8')).trim()
    using way = await openWay(join(dir, 'server.sock'))
    const image = gzipSync(randomBytes(40 * mib), { level: 0 })
    const file = join(dir, 'big.tar.gz')
    await writeFile(file, image)
    const upload = () =>
      spawn(process.execPath, ['server/cli/src/main.ts', 'template', 'add', 'big', file], {
        env: { ...process.env, COMMUNITY_LAB_URL: way.url, COMMUNITY_LAB_TOKEN: token },
        stdio: ['ignore', 'pipe', 'pipe'],
      })

    const readOffset = async () => (await readUploads(server))[0]?.offset_bytes
    const first = way.stopAfter(20 * mib)
    const killed = upload()
    const exit = once(killed, 'exit')
    const ended = Promise.all([text(killed.stderr), exit]).then(([why]) => why)
    expect(await Promise.race([first.then(() => 'stopped'), ended])).toBe('stopped')
    killed.kill('SIGKILL')
    await exit
    // What is on its way to the server may take a moment.
    await expect.poll(readOffset).toBeGreaterThanOrEqual(16 * mib)
    way.open()
    // Nobody sees what is not whole.
    expect(await readTemplate(server)).toMatchObject({ image_uri: null, versions: [] })
    const [begun] = await readUploads(server)

    const second = way.stopAfter(10 * mib)
    const client = upload()
    const said = Promise.all([text(client.stdout), text(client.stderr), once(client, 'exit')])
    await second
    await expect.poll(readOffset).toBeGreaterThan(begun?.offset_bytes ?? Infinity)
    await server.end('SIGKILL')
    server = await startServer(dir, postgres.url)
    const [resumed] = await readUploads(server)
    expect(resumed?.id).toBe(begun?.id)
    expect(resumed?.offset_bytes).toBeGreaterThan(begun?.offset_bytes ?? 0)
    way.open()
    const [out, err, [code]] = (await said) as [string, string, [number]]
    expect([code, err]).toEqual([0, ''])
    const sha256 = createHash('sha256').update(image).digest('hex')
    expect(out).toBe(`template big@1: ${image.length} bytes, SHA-256 ${sha256}\n`)
    const { versions } = await readTemplate(server)
    expect(versions).toMatchObject([{ version: 1, image_sha256: sha256 }])
    expect(await readUploads(server)).toEqual([])
    expect(await server.end('SIGTERM')).toBe(0)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
