import { canonicalSubnet } from './tinc.ts'

/** An event in tincd's log. `address` is the address of a host in the community network. */
export type TincEvent =
  | { readonly kind: 'ready' }
  /** tincd could not connect, and waits for some seconds before it tries again. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'connecting'; readonly name: string; readonly address: string }
  | { readonly kind: 'connected'; readonly name: string; readonly address: string }
  | { readonly kind: 'closed'; readonly name: string; readonly address: string }
  | { readonly kind: 'host_up'; readonly name: string; readonly address: string }
  | { readonly kind: 'host_down'; readonly name: string; readonly address: string }
  | {
      readonly kind: 'unauthorized_subnet'
      readonly name: string
      readonly address: string
      readonly subnet: string
    }
  | { readonly kind: 'unknown_host'; readonly name: string; readonly address: string }
  | { readonly kind: 'script_failed'; readonly script: string; readonly reason: string }

/** The prefix of lines that the host-up and host-down scripts print. tinc itself reports reachability only at a debug level that also logs every packet. */
const presenceMark = 'community-lab'

/** Write the script that reports in tincd's log that a host became reachable (`host-up`) or unreachable (`host-down`). */
export function renderPresenceScript(script: 'host-up' | 'host-down'): string {
  return `#!/bin/sh\necho "${presenceMark} ${script} $NODE $REMOTEADDRESS" >&2\n`
}

const who = String.raw`(?<name>[A-Za-z0-9_]+) \((?<address>[^ )]+)(?: port \d+)?\)`

const patterns: readonly (readonly [RegExp, (groups: Record<string, string>) => TincEvent])[] = [
  [/^Ready$/u, () => ({ kind: 'ready' })],
  [new RegExp(`^Trying to connect to ${who}$`, 'u'), (g) => ({ kind: 'connecting', ...host(g) })],
  [/^Trying to re-establish outgoing connection in \d+ seconds$/u, () => ({ kind: 'waiting' })],
  [
    new RegExp(`^Connection with ${who} activated$`, 'u'),
    (g) => ({ kind: 'connected', ...host(g) }),
  ],
  [new RegExp(`^Closing connection with ${who}$`, 'u'), (g) => ({ kind: 'closed', ...host(g) })],
  [
    new RegExp(`^Ignoring unauthorized ADD_SUBNET from ${who}: (?<subnet>\\S+)$`, 'u'),
    (g) => ({ kind: 'unauthorized_subnet', ...host(g), subnet: readSubnet(g['subnet'] ?? '') }),
  ],
  [
    /^Peer (?<address>[^ ]+) port \d+ had unknown identity \((?<name>[A-Za-z0-9_]+)\)$/u,
    (g) => ({ kind: 'unknown_host', ...host(g) }),
  ],
  [
    new RegExp(`^${presenceMark} host-up (?<name>[A-Za-z0-9_]+) (?<address>\\S*)$`, 'u'),
    (g) => ({ kind: 'host_up', ...host(g) }),
  ],
  [
    new RegExp(`^${presenceMark} host-down (?<name>[A-Za-z0-9_]+) (?<address>\\S*)$`, 'u'),
    (g) => ({ kind: 'host_down', ...host(g) }),
  ],
  [
    /^Script (?<script>[a-z-]+) (?<reason>exited with non-zero status .*|was killed by signal .*|terminated abnormally)$/u,
    (g) => ({ kind: 'script_failed', script: g['script'] ?? '', reason: g['reason'] ?? '' }),
  ],
]

/**
 * Parse a line of tincd's log (as `tincd -D -d1` writes it, without a time); `null` for a line without an event.
 *
 * Source: the format strings of tinc 1.0.36. tincd has checked that names in them consist of letters, digits and underscores.
 */
export function parseTincLog(line: string): TincEvent | null {
  for (const [pattern, read] of patterns) {
    const match = pattern.exec(line)
    if (match !== null) return read(match.groups ?? {})
  }
  return null
}

function host(groups: Record<string, string>): { name: string; address: string } {
  return { name: groups['name'] ?? '', address: groups['address'] ?? '' }
}

function readSubnet(text: string): string {
  try {
    return canonicalSubnet(text)
  } catch {
    // An IPv4 or MAC subnet is reported as tincd wrote it.
    return text
  }
}
