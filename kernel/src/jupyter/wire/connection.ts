import { readFileSync } from 'node:fs'
import { LabError } from '@community-lab/contract/error'

/** The content of a connection file. */
export interface Connection {
  readonly transport: string
  readonly ip: string
  readonly key: string
  readonly ports: Readonly<Record<ChannelName, number>>
}

/** The sockets of a kernel. */
export type ChannelName = 'shell' | 'iopub' | 'stdin' | 'control' | 'hb'

const channels = ['shell', 'iopub', 'stdin', 'control', 'hb'] as const

/**
 * Read the file that tells the kernel the addresses of its sockets.
 *
 * @throws {@link LabError} LAB_CONFIG_INVALID when the file cannot be read, is not a connection file, or is not signed with hmac-sha256.
 */
export function readConnection(file: string): Connection {
  const found = maybeRead(file)
  const scheme = found['signature_scheme'] ?? 'hmac-sha256'
  if (scheme !== 'hmac-sha256')
    throw invalid(JSON.stringify(scheme), 'signature_scheme "hmac-sha256"')
  const { transport, ip, key } = found
  if (typeof transport !== 'string' || typeof ip !== 'string' || typeof key !== 'string')
    throw invalid(file, 'a Jupyter connection file with transport, ip and key')
  const port = (channel: ChannelName): number => {
    const value = found[`${channel}_port`]
    if (typeof value !== 'number') throw invalid(file, `a connection file with ${channel}_port`)
    return value
  }
  const ports = Object.fromEntries(channels.map((name) => [name, port(name)]))
  return { transport, ip, key, ports: ports as Record<ChannelName, number> }
}

/** Return the address of a socket in ZeroMQ's form. */
export function addressOf(connection: Connection, channel: ChannelName): string {
  const separator = connection.transport === 'tcp' ? ':' : '-'
  return `${connection.transport}://${connection.ip}${separator}${connection.ports[channel]}`
}

function maybeRead(file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch (cause) {
    throw new LabError(
      'LAB_CONFIG_INVALID',
      { variable: '--connection-file', found: file, expected: 'a Jupyter connection file' },
      { cause },
    )
  }
  throw invalid(file, 'a Jupyter connection file')
}

function invalid(found: string, expected: string): LabError {
  return new LabError('LAB_CONFIG_INVALID', { variable: '--connection-file', found, expected })
}
