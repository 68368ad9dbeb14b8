import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import websocket from '@fastify/websocket'
import { routes as paths } from '@community-lab/contract'
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { accessPlugin } from './access/access.ts'
import { createAttempts } from './access/attempts.ts'
import { createPasswords } from './access/password.ts'
import { createSessionCookie } from './access/session-cookie.ts'
import type { ServerConfiguration } from './config.ts'
import { confineAnswersPlugin } from './confine/answers.ts'
import { optionsRoute } from './confine/options.ts'
import { confinePlugin } from './confine/plugin.ts'
import { openEventFeed } from './events/feed.ts'
import { cachingPlugin } from './http/caching.ts'
import { heavyReadsPlugin } from './http/heavy-reads.ts'
import { addressLimitPlugin, defaultLimits, streamLimitPlugin, type Limits } from './http/limits.ts'
import { linksPlugin } from './http/links.ts'
import { nodeTurnsPlugin } from './http/node-turns.ts'
import { openapiPlugin } from './http/openapi.ts'
import { methodsPlugin } from './http/methods.ts'
import { answerProblem, bodyLimitBytes, problemPlugin } from './http/problems.ts'
import { useContractSchemas } from './http/validate.ts'
import { startSender } from './mail/sender.ts'
import { mailSiteOf, type SmtpSettings } from './mail/settings.ts'
import type { Transport } from './mail/transport.ts'
import { managementPlugin } from './mgmt/management.ts'
import type { Database } from './postgres/database.ts'
import { openNotifications } from './postgres/notifications.ts'
import { openDataFiles } from './registry/data-files.ts'
import { openRegistry } from './registry/open.ts'
import type { RouteContext } from './route/context.ts'
import { auditRoutes } from './route/audit.ts'
import { dataRoutes } from './route/data.ts'
import { datasetRoutes } from './route/datasets.ts'
import { eventRoutes } from './route/events.ts'
import { agreementRoutes, groupRoutes } from './route/groups.ts'
import { historyRoutes } from './route/history.ts'
import { invitationRoutes } from './route/invitations.ts'
import { logInRoutes } from './route/log-in.ts'
import { mailRoutes } from './route/mail.ts'
import { countRequests, metricsRoutes } from './route/metrics.ts'
import { agentRoutes, nodeRoutes } from './route/nodes.ts'
import { hostRoutes } from './route/hosts.ts'
import { islandRoutes } from './route/islands.ts'
import { serverResourceRoutes } from './route/servers.ts'
import { requestRoutes } from './route/requests.ts'
import { secretPageRoutes } from './route/secret-pages.ts'
import { runRoutes } from './route/runs.ts'
import { serverRoutes } from './route/server.ts'
import { sliceRoutes } from './route/slices.ts'
import { sliverRoutes } from './route/slivers.ts'
import { templateRoutes } from './route/templates.ts'
import { tokenRoutes } from './route/tokens.ts'
import { unsubscribeRoutes } from './route/unsubscribe.ts'
import { userRoutes } from './route/users.ts'
import streamPlugin, { maxMessageBytes } from './stream/plugin.ts'
import telemetryPlugin from './telemetry/plugin.ts'
import { repeat } from './registry/repeat.ts'
import { sendDueDigests } from './registry/write/digests.ts'
import { createPasswordResets } from './registry/write/password-resets.ts'
import { describeOwnServer } from './registry/write/servers.ts'
import { readImages } from './registry/write/template-versions.ts'
import { ensureCertificate, type ServerCertificate } from './tls/certificate.ts'
import { tunnelPlugin } from './tunnel/tunnel.ts'
import { keepPublishing } from './dataset/keep-publishing.ts'
import { openHealthDataset } from './dataset/publisher.ts'
import { readRecorded } from './dataset/recorded.ts'
import { createBlobs } from './upload/blobs.ts'
import { openUploads } from './upload/uploads.ts'
import { startExport } from './otlp/export.ts'
import { version } from './version.ts'

/** Options of {@link buildApp}. */
export interface AppOptions {
  readonly configuration: ServerConfiguration
  readonly database: Database
  readonly logger: FastifyBaseLogger
  /** Default: {@link defaultLimits}. */
  readonly limits?: Limits
}

/** The server's application, and its TLS certificate. */
export interface App {
  readonly app: FastifyInstance
  readonly certificate: ServerCertificate
  readonly context: RouteContext
}

/** The time between two looks whether the digests of the day are due, in milliseconds. */
const lookForDigestsEveryMs = 60_000
/** The most time for the start of one part, in milliseconds. */
const pluginsStartWithinMs = 120_000

/** Build the server, all but its sockets. */
export async function buildApp(options: AppOptions): Promise<App> {
  const { configuration, database, logger, limits = defaultLimits } = options
  const { dataDir, mgmtPrefix, offlineAfterS, origins } = configuration
  const onError = (error: unknown): void => logger.error({ err: error }, 'background work failed')
  const imageDir = join(dataDir, 'images')
  await mkdir(imageDir, { recursive: true, mode: 0o755 })
  const certificate = await ensureCertificate(join(dataDir, 'tls'))
  const registry = await openRegistry({ database, mgmtPrefix, offlineAfterS, onError })
  const notifications = await openNotifications({ database, onError })
  const { smtp, publicUrl } = configuration
  const mail = mailSiteOf(smtp, publicUrl)
  const sender =
    smtp === null
      ? null
      : startSender({
          db: database.db,
          notifications,
          transport: await loadTransport(smtp),
          onError,
        })
  const stopDigests =
    mail === null
      ? null
      : repeat(lookForDigestsEveryMs, onError, () => sendDueDigests(registry, { mail, onError }))
  const resets = createPasswordResets({
    registry,
    mail,
    // Who asks for resets does not use up the attempts of who logs in.
    attempts: createAttempts(() => performance.now()),
    onError,
  })
  const feed = await openEventFeed({ db: database.db, notifications, onError })
  const uploads = await openUploads({
    dir: join(dataDir, 'uploads'),
    minFreeBytes: configuration.minFreeMiB * 1024 ** 2,
    onError,
  })
  const dataFiles = await openDataFiles({
    dir: join(dataDir, 'data-archives'),
    registry,
    onError,
  })
  const readUsed = (): Promise<ReadonlySet<string>> => readImages(database.db)
  const images = createBlobs({ dir: imageDir, extension: '.tar.gz', readUsed })
  await images.removeLeftovers()
  await images.removeUnused()

  const app: FastifyInstance = Fastify({
    loggerInstance: logger,
    bodyLimit: bodyLimitBytes,
    // Opening the store of samples takes long on a slow or busy machine.
    pluginTimeout: pluginsStartWithinMs,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 200 },
    frameworkErrors: (error, request, reply) => void answerProblem(error, request, reply),
    // Streams are ended before. Idle connections must not delay the stop of the server.
    forceCloseConnections: true,
    logController: new LogController({ disableRequestLogging: true }),
  })
  // When the server cannot start, what is open already would keep the process alive.
  await using stack = new AsyncDisposableStack()
  stack.defer(() => app.close())
  app.decorate('registry', registry)
  app.addHook('onClose', async () => {
    await stopDigests?.()
    await resets[Symbol.asyncDispose]()
    await sender?.[Symbol.asyncDispose]()
    await uploads[Symbol.asyncDispose]()
    await feed[Symbol.asyncDispose]()
    await notifications[Symbol.asyncDispose]()
    await dataFiles[Symbol.asyncDispose]()
    await registry[Symbol.asyncDispose]()
  })
  const metrics = await countRequests(app, { registry, version })
  useContractSchemas(app)
  await app.register(problemPlugin)
  await app.register(helmet, {
    // The API uses HTTPS with a pinned certificate, and HTTP behind a socket. So it must not tell browsers to require HTTPS.
    strictTransportSecurity: false,
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
  })
  await app.register(cors, {
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: [
      ...['etag', 'link', 'location'],
      ...['tus-resumable', 'upload-expires', 'upload-length', 'upload-offset'],
    ],
    maxAge: 600,
    // The route of OPTIONS answers what is no question of a browser.
    strictPreflight: false,
    preflightContinue: true,
  })
  await app.register(addressLimitPlugin, { limits })
  await app.register(methodsPlugin)
  await app.register(confinePlugin, { publicUrl })
  await app.register(websocket, {
    options: { maxPayload: maxMessageBytes, perMessageDeflate: false },
  })
  await app.register(nodeTurnsPlugin, limits.nodes)
  const cookie = createSessionCookie(certificate.sha256.slice(0, 8))
  // Pages of the configured URL are the server's own, whatever a proxy makes of the header Host.
  const ownOrigins = publicUrl === null ? origins : [...origins, new URL(publicUrl).origin]
  await app.register(accessPlugin, {
    db: database.db,
    notifications,
    origins: ownOrigins,
    cookie,
  })
  await app.register(streamLimitPlugin, { limits })
  await app.register(heavyReadsPlugin, limits.heavyReads)
  await app.register(linksPlugin)
  await app.register(cachingPlugin)
  await app.register(confineAnswersPlugin, { publicUrl })
  await app.register(openapiPlugin, { version })
  await app.register(managementPlugin, {
    dataDir,
    prefix: mgmtPrefix,
    gatewaySocket: configuration.gatewaySocket,
    tincAddress: configuration.tincAddress,
    tincPort: configuration.tincPort,
  })
  await app.register(telemetryPlugin, {
    dir: join(dataDir, 'telemetry'),
    minFreeMiB: configuration.minFreeMiB,
    keep: configuration.keep,
  })
  if (configuration.otlp !== null) await exportSamples(app, configuration.otlp, dataDir)
  await app.register(streamPlugin, { offlineAfterMs: offlineAfterS * 1000 })
  await app.register(tunnelPlugin)

  const healthDataset = await openHealthDataset({
    dir: join(dataDir, 'datasets', 'node-health'),
    store: app.telemetry,
    recorded: (period) => readRecorded(registry, period),
    software: `Community-Lab ${version}`,
    now: Date.now,
  })
  const stopPublishing = keepPublishing(healthDataset, onError)
  app.addHook('preClose', stopPublishing)

  app.addHook('onReady', async () => {
    const { pubkey, addresses } = app.management.serverTincHost()
    const base = { base_uri: new URL(paths.base, configuration.communityUrl).href }
    const api = (['registry', 'controller'] as const).map((type) => ({
      type,
      ...base,
      cert: certificate.certPem,
    }))
    await describeOwnServer(registry, { api, pubkey, addresses })
  })

  const context: RouteContext = {
    registry,
    feed,
    mgmtPrefix,
    httpsPort: configuration.listen?.port ?? 0,
    contact: { url: configuration.communityUrl, certificateSha256: certificate.sha256 },
    images,
    uploads,
    dataFiles,
    version,
  }
  const logIn = {
    registry,
    cookie,
    passwords: createPasswords(),
    attempts: createAttempts(() => performance.now()),
    mail,
  }
  await app.register((routes, _options, done) => {
    optionsRoute(routes)
    serverRoutes(routes, context)
    nodeRoutes(routes, context)
    agentRoutes(routes, context)
    serverResourceRoutes(routes, context)
    islandRoutes(routes, context)
    hostRoutes(routes, context)
    sliceRoutes(routes, context)
    sliverRoutes(routes, context)
    runRoutes(routes, context)
    templateRoutes(routes, context)
    dataRoutes(routes, context)
    datasetRoutes(routes, healthDataset)
    userRoutes(routes, context)
    groupRoutes(routes, context)
    agreementRoutes(routes, context)
    historyRoutes(routes, context)
    auditRoutes(routes, context)
    requestRoutes(routes, context)
    tokenRoutes(routes, context)
    logInRoutes(routes, logIn)
    invitationRoutes(routes, { ...logIn, resets })
    secretPageRoutes(routes)
    unsubscribeRoutes(routes, registry)
    mailRoutes(routes, { registry, smtp, mail })
    eventRoutes(routes, context)
    metricsRoutes(routes, context, metrics)
    done()
  })
  stack.move()
  return { app, certificate, context }
}

/** Send samples to a collector until the application closes. What sends them is loaded only here. */
async function exportSamples(
  app: FastifyInstance,
  { withSlices }: NonNullable<ServerConfiguration['otlp']>,
  dir: string,
): Promise<void> {
  const { createCollector } = await import('./otlp/collector.ts')
  const exporting = await startExport({
    store: app.telemetry,
    collector: createCollector(version),
    dir,
    withSlices,
    onProblem: (error, what) => app.log.warn({ err: error }, what),
  })
  // The store is open until then: hooks run in the reverse order of their adding.
  app.addHook('onClose', () => exporting[Symbol.asyncDispose]())
}

/** Load what sends mails. It is loaded only where mails are sent, because it takes a twentieth of the processor time of the server's start. */
async function loadTransport(smtp: SmtpSettings): Promise<Transport> {
  const { createSmtpTransport } = await import('./mail/transport.ts')
  return createSmtpTransport(smtp)
}
