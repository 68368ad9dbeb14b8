/**
 * Takes the place of the virtual testbed's program in a checkout, for tests of the command line: it speaks the same protocol (lines of JSON, credentials, two
 * Unix sockets, an end by SIGTERM), but there are no nodes behind it.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { LabError, toProblem, type Health, type VctStatus } from '@community-lab/contract'
import Fastify from 'fastify'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    home: { type: 'string', default: '' },
    nodes: { type: 'string', default: '' },
    port: { type: 'string', default: '0' },
    foreground: { type: 'boolean' },
  },
})
const { home } = values
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const run = join(home, 'run')
const sockets = { server: join(run, 'server.sock'), vct: join(run, 'vct.sock') }

const ended = Promise.withResolvers<undefined>()
process.on('SIGTERM', () => {
  ended.resolve(undefined)
})
await mkdir(run, { recursive: true })
await writeFile(join(home, 'program.pid'), String(process.pid))
say({ step: positionals.join(' '), state: 'done', ms: 5, message: `${values.nodes} nodes` })

const behaviour = process.env['TESTBED_PROGRAM']
if (behaviour === 'refuses') {
  const details = { command: 'tincd', debianPackage: 'tinc' }
  say({ error: toProblem(new LabError('LAB_VCT_COMMAND_MISSING', details)) })
  process.exit(1)
}
if (behaviour === 'dies') process.exit(7)
if (behaviour === 'dawdles') {
  say({ step: 'nodes', state: 'progress', message: 'waiting' })
  await Promise.race([ended.promise, delay(60_000)])
  await rm(run, { recursive: true })
  process.exit(0)
}

const health: Health = { status: 'ok', version: '0.1.0', parts: {} }
const port = Number(values.port)
const url = `http://127.0.0.1:${port}`
const status: VctStatus = {
  state: 'running',
  mode: 'rootless',
  started_on: new Date().toISOString(),
  server_socket: sockets.server,
  server_url: url,
  server_pid: process.pid,
  shaping: 'relay',
  lacks: [],
  nodes: [],
  links: [],
}
const server = () =>
  Fastify().get('/health', (request) => ({ ...health, cookie: request.headers.cookie }))
const apps = [server(), server(), Fastify().get('/status', () => status)] as const
await apps[0].listen({ path: sockets.server })
await apps[1].listen({ port, host: '127.0.0.1' })
await apps[2].listen({ path: sockets.vct })
const credentialsFile = join(home, 'credentials.json')
await writeFile(credentialsFile, JSON.stringify({ url, token: 'secret', vct_socket: sockets.vct }))
const ready = {
  url,
  socket: sockets.server,
  vctSocket: sockets.vct,
  home,
  credentialsFile,
  mode: status.mode,
  lacks: ['it has no nodes'],
}
say({ ready })
await ended.promise
for (const app of apps) await app.close()
await rm(run, { recursive: true, force: true })
