import { isIPv6 } from 'node:net'
import { LabError, nearestName } from '@community-lab/contract'
import type { Keep } from './telemetry/domain/sealing.ts'
import { parseSender, parseSmtpUrl, type SmtpSettings } from './mail/settings.ts'

/** The server's settings, read once. */
export interface ServerConfiguration {
  /** The folder for all data of the server. */
  readonly dataDir: string
  /** The Unix socket for programs on this machine; null: none. */
  readonly socket: string | null
  /** The address of HTTPS; null: no HTTPS. */
  readonly listen: { readonly host: string; readonly port: number } | null
  /** The HTTPS URL of the server in the community network, for nodes that do not have the VPN yet. */
  readonly communityUrl: string
  /** The URL under which clients reach the server, without a last slash, for absolute URIs; null: the one that each client uses. */
  readonly publicUrl: string | null
  readonly tincAddress: string
  readonly tincPort: number
  /** The /48 prefix of the management network. */
  readonly mgmtPrefix: string
  readonly gatewaySocket: string
  /** The file for the first operator's token; null: no token is created. */
  readonly bootstrapTokenFile: string | null
  /** Origins of web pages that may change things on this server. */
  readonly origins: readonly string[]
  /** A node is offline after this time without contact, in seconds. */
  readonly offlineAfterS: number
  /** With less free space on the disk of the data folder no samples are accepted, in MiB. */
  readonly minFreeMiB: number
  /** How much of the samples is kept, of each slice and of what nodes measure of themselves. */
  readonly keep: Keep
  /** The SMTP server for e-mail; null: none is sent. */
  readonly smtp: SmtpSettings | null
  /** Whether samples are sent to the collector that OpenTelemetry's variables name, and of which scopes; null: none is named. */
  readonly otlp: { readonly withSlices: boolean } | null
  readonly logLevel: string
  /** The URL of an external PostgreSQL; null: the embedded one. */
  readonly databaseUrl: string | null
}

const prefix = 'COMMUNITY_LAB_SERVER_'
const meanings = {
  DATA: "the server's data folder",
  SOCKET: 'the Unix socket for programs of this machine',
  LISTEN: 'where HTTPS is served, [address]:port',
  COMMUNITY_URL: 'how nodes reach the server in the community network, https://…',
  PUBLIC_URL: 'how clients reach the server, for absolute URIs; a proxy’s URL with its path',
  TINC_ADDRESS: "the server's address in the community network",
  TINC_PORT: 'the port of its tincd',
  MGMT_PREFIX: "the management network's /48",
  GATEWAY_SOCKET: "the gateway's Unix socket",
  BOOTSTRAP_TOKEN_FILE: "where the first operator's token is written",
  ORIGINS: 'origins of web pages that may change things, separated by commas',
  OFFLINE_AFTER_S: 'after how many seconds without contact a node is offline',
  MIN_FREE_MIB: 'with less free on the disk of its data no samples are taken, in MiB',
  KEEP_SLICE_DAYS: 'for how many days the samples of a slice are kept',
  KEEP_SLICE_GIB: 'how much is kept of the samples of a slice, in GiB; the oldest go first',
  KEEP_NODE_DAYS: 'for how many days what nodes measure of themselves is kept in the store',
  KEEP_NODE_GIB:
    'how much is kept of what nodes measure of themselves, in GiB; the oldest go first',
  SMTP_URL: 'the SMTP server that takes e-mail, smtps://user:password@mail.example',
  SMTP_FROM: 'the sender of e-mail, Testbed <testbed@mail.example>',
  OTLP_SCOPES:
    'which samples go to the collector of OTEL_EXPORTER_OTLP_ENDPOINT: nodes, or all for those of slices, too',
  LOG_LEVEL: 'fatal, error, warn, info, debug or trace',
} as const
type Setting = keyof typeof meanings
/** The most that can be kept: 100 years, and a million GiB. */
const maxKeepDays = 36_500
const maxKeepGiB = 1_000_000
const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

/**
 * Read the settings from the environment. Settings have defaults where one makes sense.
 *
 * @throws {@link LabError} LAB_CONFIG_MISSING, LAB_CONFIG_INVALID, LAB_CONFIG_UNKNOWN_VARIABLE.
 */
export function readServerConfiguration(
  env: Readonly<Record<string, string | undefined>>,
): ServerConfiguration {
  const known = Object.keys(meanings).map((name) => prefix + name)
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith(prefix) || known.includes(variable)) continue
    const suggestion = nearestName(variable, known)
    throw new LabError('LAB_CONFIG_UNKNOWN_VARIABLE', { variable, suggestion })
  }
  const read = (name: Setting): string | null => {
    const value = env[prefix + name]
    return value === undefined || value === '' ? null : value
  }
  const need = (name: Setting): string => {
    const value = read(name)
    if (value === null)
      throw new LabError('LAB_CONFIG_MISSING', { variable: prefix + name, meaning: meanings[name] })
    return value
  }
  const path = (name: Setting, value: string): string => {
    if (!value.startsWith('/')) throw invalid(name, value, 'an absolute path')
    return value
  }
  const integer = (name: Setting, fallback: number, max: number): number => {
    const text = read(name) ?? String(fallback)
    const value = /^\d{1,9}$/u.test(text) ? Number(text) : 0
    if (value < 1 || value > max) throw invalid(name, text, `a whole number from 1 to ${max}`)
    return value
  }

  const dataDir = path('DATA', need('DATA'))
  const socket = read('SOCKET')
  const bootstrap = read('BOOTSTRAP_TOKEN_FILE')
  const communityUrl = need('COMMUNITY_URL')
  if (!communityUrl.startsWith('https://') || !URL.canParse(communityUrl))
    throw invalid('COMMUNITY_URL', communityUrl, 'an https URL')
  const publicUrl = read('PUBLIC_URL')
  if (publicUrl !== null && !/^https?:\/\/[^\s?#<>",]+[^\s?#<>",/]$/u.test(publicUrl))
    throw invalid('PUBLIC_URL', publicUrl, 'an http or https URL without a last slash')
  const tincAddress = need('TINC_ADDRESS')
  const mgmtPrefix = read('MGMT_PREFIX') ?? 'fd65:fc41:c50f::/48'
  if (!/^[0-9a-f:]+::\/48$/u.test(mgmtPrefix) || !isIPv6(mgmtPrefix.replace('/48', '')))
    throw invalid('MGMT_PREFIX', mgmtPrefix, 'an IPv6 /48 such as fd65:fc41:c50f::/48')
  const logLevel = read('LOG_LEVEL') ?? 'info'
  if (!levels.includes(logLevel)) throw invalid('LOG_LEVEL', logLevel, meanings.LOG_LEVEL)
  const databaseUrl = env['DATABASE_URL'] ?? ''
  if (databaseUrl !== '' && !/^postgres(ql)?:\/\//u.test(databaseUrl))
    throw new LabError('LAB_CONFIG_INVALID', {
      variable: 'DATABASE_URL',
      // Show only the scheme, because the URL may contain a password.
      found: `${databaseUrl.split(':')[0] ?? ''}:…`,
      expected: 'postgres://…',
    })
  const smtp = readSmtp(read, need)
  const otlp = readOtlp(env, read('OTLP_SCOPES'))
  const origins = (read('ORIGINS') ?? '').split(',').filter((origin) => origin !== '')
  for (const origin of origins)
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      throw invalid('ORIGINS', origin, 'origins such as https://lab.example')

  return Object.freeze({
    dataDir,
    socket: socket === null ? null : path('SOCKET', socket),
    listen: parseListen(read('LISTEN')),
    communityUrl,
    publicUrl,
    tincAddress,
    tincPort: integer('TINC_PORT', 655, 65_535),
    mgmtPrefix,
    gatewaySocket: path('GATEWAY_SOCKET', need('GATEWAY_SOCKET')),
    bootstrapTokenFile: bootstrap === null ? null : path('BOOTSTRAP_TOKEN_FILE', bootstrap),
    origins,
    offlineAfterS: integer('OFFLINE_AFTER_S', 30, 86_400),
    minFreeMiB: integer('MIN_FREE_MIB', 1_024, 1_000_000),
    keep: {
      sliceDays: integer('KEEP_SLICE_DAYS', 730, maxKeepDays),
      sliceBytes: integer('KEEP_SLICE_GIB', 16, maxKeepGiB) * 1024 ** 3,
      nodeDays: integer('KEEP_NODE_DAYS', 730, maxKeepDays),
      nodeBytes: integer('KEEP_NODE_GIB', 64, maxKeepGiB) * 1024 ** 3,
    },
    smtp,
    otlp,
    logLevel,
    databaseUrl: databaseUrl === '' ? null : databaseUrl,
  })
}

/** Read the settings of e-mail. Links in mails need an address of the server that no request can choose, so it must be set, too. */
function readSmtp(
  read: (name: Setting) => string | null,
  need: (name: Setting) => string,
): SmtpSettings | null {
  const url = read('SMTP_URL')
  if (url === null) {
    if (read('SMTP_FROM') !== null) need('SMTP_URL')
    return null
  }
  const smtp = parseSmtpUrl(url)
  if (smtp === null)
    throw invalid(
      'SMTP_URL',
      // Only the scheme is shown, because the URL may contain a password.
      `${/^\w{0,10}/u.exec(url)?.[0] ?? ''}:…`,
      'smtps://user:password@host:port, or smtp:// for STARTTLS; characters such as / and @ in the password are written %2F and %40',
    )
  const sender = need('SMTP_FROM')
  const from = parseSender(sender)
  if (from === null) throw invalid('SMTP_FROM', sender, 'an address, or Name <address>')
  need('PUBLIC_URL')
  return { ...smtp, from }
}

/** The variables of a collector are those of OpenTelemetry. The library that sends reads the others of them. */
function readOtlp(
  env: Readonly<Record<string, string | undefined>>,
  scopes: string | null,
): ServerConfiguration['otlp'] {
  if (scopes !== null && scopes !== 'nodes' && scopes !== 'all')
    throw invalid('OTLP_SCOPES', scopes, 'nodes or all')
  const variables = ['OTEL_EXPORTER_OTLP_METRICS_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT']
  const variable = variables.find((name) => (env[name] ?? '') !== '')
  if (variable === undefined) return null
  const found = env[variable] ?? ''
  if (!/^https?:$/u.test(URL.canParse(found) ? new URL(found).protocol : ''))
    // The URL may contain a password.
    throw new LabError('LAB_CONFIG_INVALID', {
      variable,
      found: `${found.split(':')[0] ?? ''}:…`,
      expected: 'http://… or https://…',
    })
  return { withSlices: scopes === 'all' }
}

function parseListen(text: string | null): ServerConfiguration['listen'] {
  if (text === null) return null
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/u.exec(text)
  const host = match?.[1] ?? match?.[2]
  if (host === undefined) throw invalid('LISTEN', text, '[address]:port')
  return { host, port: Number(match?.[3]) }
}

function invalid(name: Setting, found: string, expected: string): LabError {
  return new LabError('LAB_CONFIG_INVALID', { variable: prefix + name, found, expected })
}
