import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, json } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { LabError, toProblem } from '@community-lab/contract'
import {
  createPinnedHttp,
  type PinnedHttp,
  type PinnedHttpOptions,
} from '../../../../agent/src/server/pinned-http.ts'
import {
  ensureCertificate,
  type ServerCertificate,
} from '../../../../server/src/tls/certificate.ts'

let dir: string
let certificate: ServerCertificate
let server: Server
let url: string
let connections: number
let requests: number
let answer: (request: IncomingMessage, response: ServerResponse) => void
const clients: PinnedHttp[] = []
const { signal } = new AbortController()

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agent-http-'))
  certificate = await ensureCertificate(dir)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

beforeEach(async () => {
  connections = 0
  requests = 0
  server = createServer({ cert: certificate.certPem, key: certificate.keyPem })
    .on('connection', () => connections++)
    .on('request', (request, response) => {
      requests++
      answer(request, response)
    })
    .listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  url = `https://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

function connect(options: Partial<PinnedHttpOptions> = {}): PinnedHttp {
  const { sha256: certificateSha256 } = certificate
  const client = createPinnedHttp({ url, certificateSha256, token: 'secret', ...options })
  clients.push(client)
  return client
}

function get(client: PinnedHttp, aborted: AbortSignal = signal) {
  return client.request({ method: 'GET', path: '/api/x?y=1', signal: aborted })
}

test('requests one after another use one connection, and say who asks and what', async () => {
  answer = (request, response) => {
    const { method, url: path, headers } = request
    json(request).then(
      (body) =>
        response
          .setHeader('etag', '"7"')
          .end(JSON.stringify({ method, path, authorization: headers.authorization, body })),
      (error: unknown) => response.destroy(error instanceof Error ? error : undefined),
    )
  }
  const client = connect()
  const order = { method: 'PUT', path: '/api/x?y=1', json: { ä: 1 }, signal } as const
  for (let round = 0; round < 3; round++) {
    const { status, header, readJson } = await client.request(order)
    expect([status, header('etag'), header('x-none')]).toEqual([200, '"7"', null])
    expect(await readJson()).toEqual({
      method: 'PUT',
      path: '/api/x?y=1',
      authorization: 'Bearer secret',
      body: { ä: 1 },
    })
  }
  expect(connections).toBe(1)
})

test('a connection is free again after an answer without a body, and after one that was skipped', async () => {
  answer = (_, response) => response.writeHead(requests % 2 === 0 ? 304 : 200).end()
  const client = connect()
  for (const status of [200, 304, 200]) {
    const found = await get(client)
    expect(found.status).toBe(status)
    await found.skip()
  }
  expect(connections).toBe(1)
})

test('ten requests at once are answered, also after all their connections have broken', async () => {
  answer = (_, response) => response.end('{}')
  const client = connect()
  const askTen = () =>
    Promise.all(
      Array.from({ length: 10 }, async () => {
        const { readJson } = await get(client)
        return readJson()
      }),
    )
  expect(await askTen()).toHaveLength(10)
  server.closeAllConnections()
  answer = (request) => request.socket.destroy()
  await expect(askTen()).rejects.toMatchObject({ code: 'LAB_CONNECTION_FAILED' })
  answer = (_, response) => response.end('{}')
  expect(await askTen()).toHaveLength(10)
})

test('a server with another certificate is sent nothing', async () => {
  answer = (_, response) => response.end()
  const client = connect({ certificateSha256: 'ab'.repeat(32) })
  await expect(get(client)).rejects.toMatchObject({
    code: 'LAB_CERTIFICATE_MISMATCH',
    details: { found: certificate.sha256 },
  })
  expect(requests).toBe(0)
})

test("the server's own error is thrown, and an answer in between that is no problem is told by its status", async () => {
  const own = new LabError('LAB_RESPONSE_TOO_LARGE', { url, limitBytes: 1 })
  answer = (_, response) => response.writeHead(413).end(JSON.stringify(toProblem(own)))
  const client = connect()
  await expect(get(client)).rejects.toMatchObject({ code: 'LAB_RESPONSE_TOO_LARGE' })
  answer = (_, response) => response.writeHead(302, { location: '/elsewhere' }).end('moved')
  await expect(get(client)).rejects.toMatchObject({
    code: 'LAB_RESPONSE_INVALID',
    details: { reason: 'status 302 without a problem document' },
  })
  expect(requests).toBe(2)
})

test('a server that says nothing is given up, before the head and in the body', async () => {
  const client = connect({ silenceMs: 300 })
  const failed = {
    code: 'LAB_CONNECTION_FAILED',
    details: { reason: 'nothing came for 300 ms' },
  }
  answer = () => undefined
  await expect(get(client)).rejects.toMatchObject(failed)
  answer = (_, response) => response.writeHead(200, { 'content-length': 9 }).write('{')
  const { readJson } = await get(client)
  await expect(readJson()).rejects.toMatchObject(failed)
})

test('an abort ends a request with its reason: while connecting, before the head, and in the body', async () => {
  const reason = new Error('no longer wanted')
  const client = connect()
  const aborted = new AbortController()
  const connecting = get(client, aborted.signal)
  aborted.abort(reason)
  await expect(connecting).rejects.toBe(reason)

  const later = new AbortController()
  answer = () => later.abort(reason)
  await expect(get(client, later.signal)).rejects.toBe(reason)

  const last = new AbortController()
  answer = (_, response) => response.writeHead(200, { 'content-length': 9 }).write('{')
  const { readJson } = await get(client, last.signal)
  const reading = readJson()
  last.abort(reason)
  await expect(reading).rejects.toBe(reason)
})

test('a body is read up to its limit, and one that breaks off is no whole one', async () => {
  answer = (_, response) => response.end('x'.repeat(100_000))
  const client = connect()
  const { read } = await get(client)
  await expect(buffer(read(99_999))).rejects.toMatchObject({
    code: 'LAB_RESPONSE_TOO_LARGE',
  })
  answer = (request, response) => {
    response.writeHead(200, { 'content-length': 9 }).write('{', () => request.socket.destroy())
  }
  const { readJson } = await get(client)
  await expect(readJson()).rejects.toMatchObject({ code: 'LAB_CONNECTION_FAILED' })
})

test('its end ends what is under way, and a body that nobody reads breaks nothing', async () => {
  answer = (_, response) => response.writeHead(200, { 'content-length': 9 }).write('{')
  const client = connect()
  const unread = await get(client)
  answer = () => client.close()
  await expect(get(client)).rejects.toMatchObject({ code: 'LAB_CONNECTION_FAILED' })
  await expect(unread.readJson()).rejects.toMatchObject({ code: 'LAB_CONNECTION_FAILED' })
  await expect(get(client)).rejects.toMatchObject({
    code: 'LAB_CONNECTION_FAILED',
    details: { reason: 'this client was closed' },
  })
})
