import { createHash } from 'node:crypto'
import { LabError, nearestName } from '@community-lab/contract'

/** The gateway's settings. */
export interface GatewayConfiguration {
  /** The Unix socket that the gateway serves. */
  readonly socket: string
  /** The server's tinc folder. The unprivileged server writes it, so its content is only data. */
  readonly tincDir: string
  readonly device: 'auto' | 'tun' | 'raw_socket'
  /** The user who may connect to the socket, besides root. */
  readonly ownerUid: number
  /** The gateway's own folder, on which tincd runs. Nobody else can write it. */
  readonly runDir: string
}

const prefix = 'COMMUNITY_LAB_GATEWAY_'
const known = ['SOCKET', 'TINC_DIR', 'TINC_DEVICE', 'OWNER_UID', 'RUN_DIR'].map((n) => prefix + n)

/**
 * Read the settings from the environment.
 *
 * @throws {@link LabError} LAB_CONFIG_MISSING, LAB_CONFIG_INVALID, LAB_CONFIG_UNKNOWN_VARIABLE.
 */
export function readGatewayConfiguration(
  env: Readonly<Record<string, string | undefined>>,
): GatewayConfiguration {
  for (const variable of Object.keys(env)) {
    if (variable.startsWith(prefix) && !known.includes(variable)) {
      const suggestion = nearestName(variable, known)
      throw new LabError('LAB_CONFIG_UNKNOWN_VARIABLE', { variable, suggestion })
    }
  }
  const read = (name: string): string | null => env[prefix + name]?.trim() || null
  const tincDir = parsePath('TINC_DIR', read('TINC_DIR'), "the server's tinc folder")
  const device = read('TINC_DEVICE') ?? 'auto'
  if (device !== 'auto' && device !== 'tun' && device !== 'raw_socket') {
    throw invalid('TINC_DEVICE', device, 'auto, tun or raw_socket')
  }
  const uid = read('OWNER_UID') ?? '0'
  if (!/^\d{1,10}$/u.test(uid)) throw invalid('OWNER_UID', uid, 'a user id')
  const name = createHash('sha256').update(tincDir).digest('hex').slice(0, 16)
  return Object.freeze({
    socket: parsePath('SOCKET', read('SOCKET'), 'the Unix socket that the gateway serves'),
    tincDir,
    device,
    ownerUid: Number(uid),
    runDir: parsePath(
      'RUN_DIR',
      read('RUN_DIR') ?? `/run/community-lab-gateway-${name}`,
      "the gateway's own folder",
    ),
  })
}

function parsePath(name: string, value: string | null, meaning: string): string {
  if (value === null) throw new LabError('LAB_CONFIG_MISSING', { variable: prefix + name, meaning })
  if (!value.startsWith('/')) throw invalid(name, value, 'an absolute path')
  return value
}

function invalid(name: string, found: string, expected: string): LabError {
  return new LabError('LAB_CONFIG_INVALID', { variable: prefix + name, found, expected })
}
