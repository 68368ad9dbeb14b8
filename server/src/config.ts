import { isIPv6 } from 'node:net'
import { LabError, nearestName } from '@community-lab/contract'

/** The server's settings, read once. */
export interface ServerConfiguration {
  /** Where everything of the server lives. */
  readonly dataDir: string
  /** The Unix socket for programs of this machine; null: none. */
  readonly socket: string | null
  /** Where HTTPS is served; null: nowhere. */
  readonly listen: { readonly host: string; readonly port: number } | null
  /** How nodes reach the server in the community network before they have the VPN: https. */
  readonly communityUrl: string
  readonly tincAddress: string
  readonly tincPort: number
  /** The management network's /48. */
  readonly mgmtPrefix: string
  readonly gatewaySocket: string
  /** Where the first operator's token is written; null: it is not made. */
  readonly bootstrapTokenFile: string | null
  /** Origins of web pages that may change things here. */
  readonly origins: readonly string[]
  /** After how many seconds without contact a node is offline. */
  readonly offlineAfterS: number
  /** With less free on the data folder's disk no samples are taken, in MiB. */
  readonly minFreeMiB: number
  readonly logLevel: string
  /** An external PostgreSQL; null: the embedded one. */
  readonly databaseUrl: string | null
}

const prefix = 'COMMUNITY_LAB_SERVER_'
const meanings = {
  DATA: "the server's data folder",
  SOCKET: 'the Unix socket for programs of this machine',
  LISTEN: 'where HTTPS is served, [address]:port',
  COMMUNITY_URL: 'how nodes reach the server in the community network, https://…',
  TINC_ADDRESS: "the server's address in the community network",
  TINC_PORT: 'the port of its tincd',
  MGMT_PREFIX: "the management network's /48",
  GATEWAY_SOCKET: "the gateway's Unix socket",
  BOOTSTRAP_TOKEN_FILE: "where the first operator's token is written",
  ORIGINS: 'origins of web pages that may change things, separated by commas',
  OFFLINE_AFTER_S: 'after how many seconds without contact a node is offline',
  MIN_FREE_MIB: 'with less free on the disk of its data no samples are taken, in MiB',
  LOG_LEVEL: 'fatal, error, warn, info, debug or trace',
} as const
type Setting = keyof typeof meanings
const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

/**
 * Read the settings from the environment; what is not set has a default where one makes sense.
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
      // It may hold a password: only its scheme is shown.
      found: `${databaseUrl.split(':')[0] ?? ''}:…`,
      expected: 'postgres://…',
    })
  const origins = (read('ORIGINS') ?? '').split(',').filter((origin) => origin !== '')
  for (const origin of origins)
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      throw invalid('ORIGINS', origin, 'origins such as https://lab.example')

  return Object.freeze({
    dataDir,
    socket: socket === null ? null : path('SOCKET', socket),
    listen: parseListen(read('LISTEN')),
    communityUrl,
    tincAddress,
    tincPort: integer('TINC_PORT', 655, 65_535),
    mgmtPrefix,
    gatewaySocket: path('GATEWAY_SOCKET', need('GATEWAY_SOCKET')),
    bootstrapTokenFile: bootstrap === null ? null : path('BOOTSTRAP_TOKEN_FILE', bootstrap),
    origins,
    offlineAfterS: integer('OFFLINE_AFTER_S', 30, 86_400),
    minFreeMiB: integer('MIN_FREE_MIB', 1_024, 1_000_000),
    logLevel,
    databaseUrl: databaseUrl === '' ? null : databaseUrl,
  })
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
