import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { LabError } from '@community-lab/contract'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import type { ServerConfiguration } from './config.ts'
import { lockFolder } from './folder-lock.ts'
import { openDatabase } from './postgres/database.ts'
import { startEmbeddedPostgres } from './postgres/embedded.ts'
import { writeWhole } from '@community-lab/contract/host'
import { bootstrap } from './registry/write/tokens.ts'

/** The most time for the end of a stream when the server stops, in milliseconds. */
const streamsEndWithinMs = 2_000

/** A running server. */
export interface RunningServer extends AsyncDisposable {
  readonly app: FastifyInstance
  /** The HTTPS port; null when there is none. */
  readonly port: number | null
  /** Settles with the reason when the server cannot go on. */
  readonly lost: Promise<string>
}

/** Start the server: its database, its parts, its sockets. */
export async function startServer(
  configuration: ServerConfiguration,
  logger: FastifyBaseLogger,
): Promise<RunningServer> {
  await using stack = new AsyncDisposableStack()
  const { dataDir, databaseUrl, bootstrapTokenFile } = configuration
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  // Lock the folder before anything in it is touched. Otherwise the PostgreSQL of another running server would be taken for one that a killed server has left.
  stack.use(lockFolder(dataDir))
  const lost: Promise<string>[] = []
  let url = databaseUrl
  if (url === null) {
    const log = logger.child({ part: 'postgres' })
    const dir = join(dataDir, 'postgres')
    const postgres = stack.use(
      await startEmbeddedPostgres({ dir, onLine: (line) => log.debug(line) }),
    )
    lost.push(postgres.lost.then((reason) => `PostgreSQL is gone: ${reason}`))
    url = postgres.url
  }
  const onLost = (error: Error): void => logger.warn({ err: error }, 'database connection lost')
  const database = stack.use(await openDatabase({ url, onLost }))
  const { app, certificate, context } = await buildApp({ configuration, database, logger })
  stack.defer(() => app.close())
  if (bootstrapTokenFile !== null)
    await bootstrap(context.registry, (secret) => writeWhole(bootstrapTokenFile, `${secret}\n`))
  const port = await listen(app, configuration, certificate, stack)
  const held = stack.move()
  return { app, port, lost: Promise.race(lost), [Symbol.asyncDispose]: () => held.disposeAsync() }
}

async function listen(
  app: FastifyInstance,
  { socket, listen: at }: ServerConfiguration,
  { certPem, keyPem }: { readonly certPem: string; readonly keyPem: string },
  stack: AsyncDisposableStack,
): Promise<number | null> {
  await app.ready()
  if (socket !== null) {
    await mkdir(dirname(socket), { recursive: true })
    await freeSocket(socket)
    await app.listen({ path: socket })
    // Everybody who can reach the folder may connect. Tokens decide about rights.
    await chmod(socket, 0o666)
  }
  if (at === null) return null
  const https = createServer({ cert: certPem, key: keyPem, minVersion: 'TLSv1.2' })
  https.on('request', (request, response) => app.routing(request, response))
  // The WebSocket plugin listens to Fastify's own server, so upgrades are passed to it.
  https.on('upgrade', (...args) => app.server.emit('upgrade', ...args))
  const sockets = new Set<Socket>()
  https.on('secureConnection', (connection: Socket) => {
    sockets.add(connection)
    connection.on('close', () => sockets.delete(connection))
  })
  await listenOn(https, at)
  stack.defer(() => {
    // Do not wait: this ends with the last stream of a node, and the application closes those next. A node that cannot be reached never answers.
    https.close()
    https.closeAllConnections()
    setTimeout(() => sockets.forEach((socket) => socket.destroy()), streamsEndWithinMs).unref()
  })
  const address = https.address()
  return typeof address === 'object' && address !== null ? address.port : at.port
}

async function listenOn(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const inUse = 'code' in error && error.code === 'EADDRINUSE'
      const option = 'COMMUNITY_LAB_SERVER_LISTEN'
      reject(inUse ? new LabError('LAB_PORT_IN_USE', { port, what: 'the server', option }) : error)
    })
    server.listen({ host, port }, resolve)
  })
}

/** Remove the socket that a killed server has left. @throws {@link LabError} LAB_SOCKET_IN_USE when a server answers on it. */
async function freeSocket(socket: string): Promise<void> {
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(socket)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
  if (alive) throw new LabError('LAB_SOCKET_IN_USE', { socket })
  await rm(socket, { force: true })
}
