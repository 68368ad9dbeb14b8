import {
  InterfaceType,
  LabError,
  maxSliversPerNode,
  nearestName,
  NewLentHours,
  newLentHoursRule,
  resourceNames,
  type Lends,
  type ResourceName,
} from '@community-lab/contract'
import { Value } from 'typebox/value'
import type { HostResources } from './report/resources.ts'
import { mostNodesOnHost } from './sliver/domain/ids.ts'

/** The agent's settings, which are read once. */
export interface AgentConfiguration {
  /** The folder of everything on this node: identity, keys, spool, templates, slivers. */
  readonly dataDir: string
  /** The operator's one-time token, which is needed only at the first start. A secret. */
  readonly enrollmentToken: string | null
  /** The node's /64 in the community network, from which its slivers get public addresses; null: they get none. */
  readonly publicPrefix: string | null
  readonly tincDevice: (typeof tincDevices)[number]
  readonly runtime: (typeof runtimes)[number]
  /** The cgroup, below the root of each controller, that contains the cgroups of slivers. */
  readonly cgroupParent: string
  /** The most of this host that its owner lends, including what the node itself needs. Resources that are absent are not limited. */
  readonly lends: Partial<HostResources>
  /** The most bandwidth of all slivers together in each direction, in Mbit/s; null: not limited. */
  readonly lendsMbps: number | null
  /** The most slivers; null: as many as the registry allows. */
  readonly lendsSlivers: number | null
  /** The kinds of interfaces that slivers may have besides the one for management; null: all. */
  readonly lendsInterfaces: Lends['interfaces']
  /** The hours at which slivers may run, in the time zone of the host; null: always. */
  readonly lendsHours: Lends['hours']
  /** This node's number among the nodes of its host. Each of them has its own user ids for slivers. null: it is the only node of the host. */
  readonly nrOnHost: number | null
  /** The shell command that reboots this host when the operator requests it; null: only the slivers are restarted. */
  readonly rebootCommand: string | null
  /** The longest time between two polls of the target, in seconds. */
  readonly pollS: number
  /** The time between two readings of the node's health, in seconds. */
  readonly healthIntervalS: number
  /** The path of babeld's socket for readers, from which links and routes are measured; null: they are not. */
  readonly babelSocket: string | null
  /** The file with the clock of a virtual node (`clock/source.ts`); null: the node has the host's clock. */
  readonly clockFile: string | null
  /** Whether a hint of the server makes the agent poll at once; `off` makes it a plain poller, for comparison. */
  readonly hints: boolean
  readonly logLevel: (typeof logLevels)[number]
}

const prefix = 'COMMUNITY_LAB_AGENT_'
const meanings = {
  DATA: "the agent's data folder, an absolute path",
  ENROLLMENT_TOKEN: 'the one-time token that the operator gave you for this node',
  PUBLIC_PREFIX: "the node's /64 in the community network",
  TINC_DEVICE: 'the device of the management network',
  RUNTIME: 'the OCI runtime that runs slivers',
  CGROUP: 'the cgroup that holds those of the slivers',
  LENDS:
    'the most of this host that you lend, such as memory=2048,disk=8192,cpu=200,processes=4096 (MiB, MiB, percent of a core)',
  LENDS_MBPS:
    'the most of your network, in Mbit/s in each direction, that slivers together may take',
  LENDS_SLIVERS: 'the most slivers',
  LENDS_INTERFACES:
    'the kinds of interfaces that slivers may have besides management, joined by commas, or none',
  LENDS_HOURS:
    'the hours at which slivers may run, such as 22:00-06:00 or mon-fri 22:00-06:00; sat-sun 00:00-24:00',
  NR_ON_HOST: "this node's number among those that share its host",
  REBOOT_COMMAND: 'the shell command that reboots this host',
  POLL_S: 'seconds between two looks at what is wanted',
  HEALTH_INTERVAL_S: "seconds between two readings of the node's health",
  BABEL_SOCKET: "the path of babeld's socket for readers",
  CLOCK_FILE: 'the file with the clock of a virtual node',
  HINTS: "whether the server's hints are followed",
  LOG_LEVEL: 'how much is logged',
} as const
type Setting = keyof typeof meanings

const tincDevices = ['auto', 'tun', 'raw_socket'] as const
const runtimes = ['auto', 'crun', 'runc'] as const
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
const switches = ['on', 'off'] as const
const daySeconds = 86_400
const leastMbps = 1
const mostMbps = 100_000

/**
 * Read the settings from the environment. Only the data folder has no default.
 *
 * @throws {@link LabError} LAB_CONFIG_MISSING, LAB_CONFIG_INVALID, LAB_CONFIG_UNKNOWN_VARIABLE.
 */
export function readAgentConfiguration(
  env: Readonly<Record<string, string | undefined>>,
): AgentConfiguration {
  refuseUnknown(env)
  const read = (name: Setting): string | null => env[prefix + name]?.trim() || null
  return Object.freeze({
    dataDir: parsePath('DATA', read('DATA') ?? missing('DATA')),
    enrollmentToken: read('ENROLLMENT_TOKEN'),
    publicPrefix: parsePrefix(read('PUBLIC_PREFIX')),
    tincDevice: choose('TINC_DEVICE', read('TINC_DEVICE') ?? 'auto', tincDevices),
    runtime: choose('RUNTIME', read('RUNTIME') ?? 'auto', runtimes),
    cgroupParent: parseCgroup(read('CGROUP') ?? 'community-lab'),
    lends: parseLends(read('LENDS')),
    lendsMbps: parseMbps(read('LENDS_MBPS')),
    lendsSlivers: parseSlivers(read('LENDS_SLIVERS')),
    lendsInterfaces: parseInterfaces(read('LENDS_INTERFACES')),
    lendsHours: parseHours(read('LENDS_HOURS')),
    nrOnHost: parseNrOnHost(read('NR_ON_HOST')),
    rebootCommand: read('REBOOT_COMMAND'),
    pollS: parseSeconds('POLL_S', read('POLL_S') ?? '60'),
    healthIntervalS: parseSeconds('HEALTH_INTERVAL_S', read('HEALTH_INTERVAL_S') ?? '10'),
    babelSocket: parseOptionalPath('BABEL_SOCKET', read('BABEL_SOCKET')),
    clockFile: parseOptionalPath('CLOCK_FILE', read('CLOCK_FILE')),
    hints: choose('HINTS', read('HINTS') ?? 'on', switches) === 'on',
    logLevel: choose('LOG_LEVEL', read('LOG_LEVEL') ?? 'info', logLevels),
  })
}

/** The error for a node that was never enrolled and has no token for it. */
export function enrollmentTokenMissing(): LabError {
  const variable = `${prefix}ENROLLMENT_TOKEN`
  return new LabError('LAB_CONFIG_MISSING', { variable, meaning: meanings.ENROLLMENT_TOKEN })
}

function refuseUnknown(env: Readonly<Record<string, string | undefined>>): void {
  const known = Object.keys(meanings).map((name) => prefix + name)
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith(prefix) || known.includes(variable)) continue
    const suggestion = nearestName(variable, known)
    throw new LabError('LAB_CONFIG_UNKNOWN_VARIABLE', { variable, suggestion })
  }
}

function missing(name: Setting): never {
  throw new LabError('LAB_CONFIG_MISSING', { variable: prefix + name, meaning: meanings[name] })
}

function invalid(name: Setting, found: string, expected: string): LabError {
  return new LabError('LAB_CONFIG_INVALID', { variable: prefix + name, found, expected })
}

function parsePath(name: Setting, found: string): string {
  if (!found.startsWith('/') || found.includes('\0')) throw invalid(name, found, 'an absolute path')
  return found.length > 1 ? found.replace(/\/+$/u, '') : found
}

function parseOptionalPath(name: Setting, found: string | null): string | null {
  return found === null ? null : parsePath(name, found)
}

function parsePrefix(found: string | null): string | null {
  if (found === null) return null
  const [address = '', length] = found.split('/')
  if (length !== '64' || !/^[0-9a-f:]+::$/iu.test(address) || !URL.canParse(`http://[${address}]`))
    throw invalid('PUBLIC_PREFIX', found, 'an IPv6 /64, such as fd77:0:0:1::/64')
  return found.toLowerCase()
}

function parseCgroup(found: string): string {
  const names = found.split('/')
  if (names.some((name) => !/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/u.test(name)))
    throw invalid('CGROUP', found, 'names joined by slashes, such as community-lab/n1')
  return found
}

function parseLends(found: string | null): Partial<HostResources> {
  const lends: { -readonly [K in ResourceName]?: number } = {}
  for (const part of found?.split(',') ?? []) {
    const [, name, amount] = /^\s*(\w+)=(\d{1,9})\s*$/u.exec(part) ?? []
    const resource = resourceNames.find((one) => one === name)
    if (resource === undefined)
      throw invalid('LENDS', part, `${resourceNames.join(', ')}, each as name=whole number`)
    lends[resource] = Number(amount)
  }
  return lends
}

function parseMbps(found: string | null): number | null {
  if (found === null) return null
  const value = /^\d+(\.\d+)?$/u.test(found) ? Number(found) : Number.NaN
  if (!(value >= leastMbps && value <= mostMbps))
    throw invalid('LENDS_MBPS', found, `Mbit/s, ${leastMbps} to ${mostMbps}`)
  return value
}

function parseSlivers(found: string | null): number | null {
  if (found === null) return null
  const value = /^\d{1,3}$/u.test(found) ? Number(found) : Number.NaN
  if (!(value <= maxSliversPerNode))
    throw invalid('LENDS_SLIVERS', found, `a whole number, 0 to ${maxSliversPerNode}`)
  return value
}

function parseInterfaces(found: string | null): Lends['interfaces'] {
  if (found === null) return null
  if (found === 'none') return []
  const names: readonly string[] = InterfaceType.enum
  return found.split(',').map((part) => {
    const kind = InterfaceType.enum.find((one) => one === part.trim())
    if (kind === undefined)
      throw invalid('LENDS_INTERFACES', found, `none, or ${names.join(', ')} joined by commas`)
    return kind
  })
}

function parseHours(found: string | null): Lends['hours'] {
  if (found === null) return null
  const hours = found.split(';').map((part) => part.trim())
  if (!hours.every((part) => Value.Check(NewLentHours, part)))
    throw invalid('LENDS_HOURS', found, `${newLentHoursRule}, joined by ;`)
  return hours
}

function parseNrOnHost(found: string | null): number | null {
  if (found === null) return null
  const value = /^\d{1,3}$/u.test(found) ? Number(found) : Number.NaN
  if (!(value >= 1 && value <= mostNodesOnHost))
    throw invalid('NR_ON_HOST', found, `a whole number, 1 to ${mostNodesOnHost}`)
  return value
}

function parseSeconds(name: Setting, found: string): number {
  const value = /^\d+(\.\d+)?$/u.test(found) ? Number(found) : Number.NaN
  if (!(value >= 0.1 && value <= daySeconds))
    throw invalid(name, found, `seconds, 0.1 to ${daySeconds}`)
  return value
}

function choose<T extends string>(name: Setting, found: string, choices: readonly T[]): T {
  const choice = choices.find((one) => one === found)
  if (choice === undefined) throw invalid(name, found, choices.join(' or '))
  return choice
}
