import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, it } from 'vitest'

const checkout = resolve(import.meta.dirname, '../../..')
let folder: string
let server: FastifyInstance

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lab-program-'))
  server = Fastify()
})
afterEach(async () => {
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

/** Start the program as a shell does, as the set-up has built it. */
async function start(args: readonly string[]): Promise<ChildProcess> {
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  return spawn(process.execPath, [join(checkout, 'server/cli/bin/community-lab.mjs'), ...args], {
    env: { ...process.env, COMMUNITY_LAB_URL: url, COMMUNITY_LAB_TOKEN: 'x' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

const readAll = async (stream: Readable | null) => (stream === null ? '' : text(stream))

async function outcomeOf(child: ChildProcess) {
  const [out, err, closed] = await Promise.all([
    readAll(child.stdout),
    readAll(child.stderr),
    once(child, 'close'),
  ])
  return { out, err, code: (closed as [number])[0] }
}

it('tells its version', async () => {
  expect(await outcomeOf(await start(['--version']))).toEqual({ out: '0.1.0\n', err: '', code: 0 })
})

it('ends without a word when nobody reads any more what it prints', async () => {
  // More than a pipe holds.
  const token = {
    uri: '/api/tokens/5/',
    id: 5,
    name: 'x'.repeat(100),
    role: 'researcher',
    scope: 'all',
    kind: 'personal',
    made_from: null,
  }
  const rest = { user: null, node: null, created_on: '2026-01-01T00:00:00Z' }
  const times = { expires_on: null, last_used_on: null }
  server.get('/api/tokens/', () => Array<object>(5_000).fill({ ...token, ...rest, ...times }))
  server.get('/api/users/', () => [])
  const child = await start(['token', 'list'])
  child.stdout?.once('data', () => child.stdout?.destroy())
  const err = readAll(child.stderr)
  const [code] = (await once(child, 'exit')) as [number]
  expect([code, await err]).toEqual([141, ''])
})

/** Answer as a server whose stream of events a test writes. Returns what writes a change. */
function answerEvents(): () => void {
  const change = { id: 2, time: '2026-05-04T12:00:00.000Z', kind: 'node', action: 'deleted' }
  const write = { change: (): void => undefined }
  server.get('/api/nodes/', () => [])
  server.get('/api/events/', (_request, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' })
    reply.raw.write('id: 1.a\nevent: hello\ndata: {"id":1}\n\n')
    const data = JSON.stringify({ ...change, object_id: '7', object: null })
    write.change = () => reply.raw.write(`id: 2.b\nevent: change\ndata: ${data}\n\n`)
  })
  return () => write.change()
}

it('ends without a word at the next change when nobody reads any more what it watches', async () => {
  const writeChange = answerEvents()
  const child = await start(['node', 'list', '--watch', '--json'])
  child.stdout?.once('close', writeChange)
  child.stdout?.once('data', () => child.stdout?.destroy())
  const err = readAll(child.stderr)
  const [code] = (await once(child, 'exit')) as [number]
  expect([code, await err]).toEqual([141, ''])
})

it('watches until Ctrl-C, and ends without a word', async () => {
  answerEvents()
  const child = await start(['node', 'list', '--watch'])
  child.stdout?.once('data', () => child.kill('SIGINT'))
  expect(await outcomeOf(child)).toEqual({ out: 'no nodes yet\n', err: '', code: 130 })
})

it('reads the types of parameters, built as it is', async () => {
  const file = join(folder, 'a.ipynb')
  const cell = { cell_type: 'code', metadata: { tags: ['parameters'] }, source: 'let count = 1' }
  await writeFile(file, JSON.stringify({ metadata: {}, cells: [cell] }))
  const { code, err } = await outcomeOf(await start(['run', file, '--param', 'count=1e400']))
  expect(code).toBe(1)
  expect(err).toContain('parameter count: 1e400 would become Infinity')
})
