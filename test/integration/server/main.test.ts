import { once } from 'node:events'
import { open, readdir, rm, writeFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { connect } from 'node:tls'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { postgresKinds, startPostgres } from '../../support/postgres.ts'
import { makeOrdinaryFolder, spawnOrdinary } from '../../support/postgres-user.ts'
import { environment, program, startServer } from './world/process.ts'

describe.each(postgresKinds)('the server as a process, on %s PostgreSQL', (kind) => {
  let external: Awaited<ReturnType<typeof startPostgres>> | null = null
  beforeAll(async () => {
    if (kind !== 'embedded') external = await startPostgres(kind)
  })
  afterAll(() => external?.[Symbol.asyncDispose]())

  it('loses nothing when it is killed, and ends by itself when it is asked to', async () => {
    const dir = await makeOrdinaryFolder()
    try {
      const url = external?.url ?? null
      const first = await startServer(dir, url)
      expect(await first.ask('GET', '/health')).toMatchObject({
        status: 503,
        body: { parts: { database: { ok: true }, telemetry: { ok: true } } },
      })
      expect((await first.ask('GET', '/docs/json')).status).toBe(200)
      const names = Array.from({ length: 20 }, (_, index) => `n${index}`)
      const made = names.map((name) => first.ask('POST', '/api/nodes/', { name }))
      for (const { status } of await Promise.all(made)) expect(status).toBe(201)
      const nodes = await first.ask('GET', '/api/nodes/')
      const certificate = await fingerprint(first.port)
      expect(await first.end('SIGKILL')).toBe('SIGKILL')

      const second = await startServer(dir, url)
      expect(await second.ask('GET', '/api/nodes/')).toEqual(nodes)
      // Nodes know it by its certificate.
      expect(await fingerprint(second.port)).toBe(certificate)
      expect(await second.end('SIGTERM')).toBe(0)
      expect(await readdir(dir)).not.toContain('server.sock')

      const third = await startServer(dir, url)
      expect(await third.ask('GET', '/api/nodes/')).toEqual(nodes)
      expect(await third.end('SIGINT')).toBe(0)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
})

describe('a server whose samples cannot be opened', () => {
  it('says so and ends, so that whoever watches over it hears of it', async () => {
    const dir = await makeOrdinaryFolder()
    try {
      const first = await startServer(dir, null)
      expect(await first.end('SIGTERM')).toBe(0)
      await writeFile(join(dir, 'data', 'telemetry', 'telemetry.duckdb'), 'no DuckDB file')
      await expect(startServer(dir, null)).rejects.toThrow('[LAB_TELEMETRY_UNUSABLE]')
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
})

describe('a second server on a folder', () => {
  it('is refused before it touches anything, and the first goes on', async () => {
    const dir = await makeOrdinaryFolder()
    try {
      const first = await startServer(dir, null)
      const before = await first.ask('POST', '/api/nodes/', { name: 'n1' })
      expect(before.status).toBe(201)
      await expect(startServer(dir, null)).rejects.toThrow('[LAB_SERVER_FOLDER_IN_USE]')
      expect((await first.ask('POST', '/api/nodes/', { name: 'n2' })).status).toBe(201)
      expect(await first.end('SIGTERM')).toBe(0)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
})

describe('a server whose log can be written nowhere, as on a full disk', () => {
  it('answers, and ends when it is asked to', async () => {
    const dir = await makeOrdinaryFolder()
    try {
      await using full = await open('/dev/full', 'w')
      const started = await spawnOrdinary(program, [], environment(dir, null), full.fd)
      const { child } = started
      const ended = once(child, 'exit')
      const socketPath = join(dir, 'server.sock')
      const status = await eventually(async () => {
        const [response] = (await once(
          request({ socketPath, path: '/health' }).end(),
          'response',
        )) as [IncomingMessage]
        response.resume()
        return response.statusCode
      })
      // There is no gateway.
      expect(status).toBe(503)
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
      await started[Symbol.asyncDispose]()
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
})

describe('a server that cannot start', () => {
  it.each([
    [
      'a setting with a typo',
      { COMMUNITY_LAB_SERVER_LISTN: '[::]:1' },
      /did you mean COMMUNITY_LAB_SERVER_LISTEN/u,
    ],
    [
      'no PostgreSQL where it is told',
      { DATABASE_URL: 'postgres://me:secret@[::1]:1/x' },
      /LAB_DATABASE_UNUSABLE/u,
    ],
  ])('says why: %s', async (_, change, says) => {
    const dir = await makeOrdinaryFolder()
    try {
      const env = { ...environment(dir, null), ...change }
      const started = await spawnOrdinary(program, [], env)
      let text = ''
      started.child.stderr?.setEncoding('utf8').on('data', (part: string) => (text += part))
      const [code] = (await once(started.child, 'close')) as [number]
      await started[Symbol.asyncDispose]()
      expect(code).toBe(1)
      expect(text).toMatch(says)
      expect(text).not.toContain('secret')
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
})

/** The SHA-256 of the certificate at a port of this machine. */
async function fingerprint(port: number): Promise<string> {
  const socket = connect({ host: '::1', port, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}
