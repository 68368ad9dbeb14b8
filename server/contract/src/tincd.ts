import type { Backoff } from './backoff.ts'

/** Return tincd's arguments: in the foreground, with connections logged, and with all files in one folder. */
export function tincdArguments(dir: string): readonly string[] {
  return ['-c', dir, '-D', '-d1', `--pidfile=${dir}/tincd.pid`]
}

/** The environment of tincd, its scripts and the commands that set its interface up: nothing but where Debian keeps them. */
export const tincdEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
}

/** A margin, in milliseconds, for a `time()` that is behind the clock and a timer that fires early. */
const secondMarginMs = 50

/**
 * How long to wait before a tincd is started, in milliseconds, when the last one on its folder became ready at `lastMs` (both in Unix time).
 *
 * tinc 1.0 seeds the numbers that tell its requests apart with the second of its start, and peers drop a request that they have seen within their
 * PingInterval: of two tincds started in the same second, the second's announcement of its connection would be taken for the first's, and the host stay
 * unreachable although it is connected (tinc 1.0.36, `srand` in net.c and `seen_request` in protocol.c).
 */
export function tincdSeedDelayMs(lastMs: number, nowMs: number): number {
  const secondMs = Math.floor(lastMs / 1000) * 1000
  const untilMs = secondMs + 1000 + secondMarginMs
  return nowMs < secondMs || nowMs >= untilMs ? 0 : Math.ceil(untilMs - nowMs)
}

/** The delay before a tincd that ended is started again. */
export const tincdBackoff: Backoff = { firstMs: 200, longestMs: 10_000 }

/** Tell whether a process's argv (of `/proc/<pid>/cmdline`) is that of a tincd on this folder. */
export function isTincdOf(argv: readonly string[], dir: string): boolean {
  const [command = '', ...rest] = argv
  return (
    command.slice(command.lastIndexOf('/') + 1) === 'tincd' && rest[0] === '-c' && rest[1] === dir
  )
}
