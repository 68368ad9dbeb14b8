import { LabError } from '@community-lab/contract'

/** An attempt to log in. */
export interface Attempt {
  /** The id of the user, or the name or e-mail address that was given when nobody has it. */
  readonly user: number | string
  /** The address that it comes from; null: the Unix socket. */
  readonly address: string | null
  /** Whether the user has logged in from this address before. */
  readonly isKnown: boolean
}

/** Limits wrong passwords, by user and by address. */
export interface Attempts {
  /**
   * Count an attempt before its password is checked, so that many at once are counted, too.
   *
   * @throws {@link LabError} LAB_AUTH_TOO_MANY_ATTEMPTS.
   */
  begin(attempt: Attempt): void
  /** The password was right, or was not checked: the attempt does not count. */
  succeed(attempt: Attempt): void
}

const windowMs = 15 * 60_000
/** The most wrong passwords in a window. A class of students behind one address, and all users of one machine behind its socket, stay below. */
const most = { user: 10, address: 250, socket: 500 } as const
/** The most counts in memory. The oldest are dropped first. */
const mostCounts = 50_000

/**
 * Create the limits. Wrong passwords from an address where the user has logged in before are counted apart. So strangers who guess do not lock the
 * user out there. Source: OWASP, Authentication Cheat Sheet, account lockout.
 */
export function createAttempts(nowMs: () => number): Attempts {
  const counts = new Map<string, { count: number; readonly endsMs: number }>()
  function countOf(key: string) {
    const known = counts.get(key)
    if (known !== undefined && known.endsMs > nowMs()) return known
    counts.delete(key)
    const [oldest] = counts.keys()
    if (counts.size >= mostCounts && oldest !== undefined) counts.delete(oldest)
    const fresh = { count: 0, endsMs: nowMs() + windowMs }
    counts.set(key, fresh)
    return fresh
  }
  return {
    begin(attempt) {
      const limits = limitsOf(attempt)
      for (const { key, of, limit } of limits) {
        const { count, endsMs } = countOf(key)
        if (count < limit) continue
        const retryAfterS = Math.ceil((endsMs - nowMs()) / 1000)
        throw new LabError('LAB_AUTH_TOO_MANY_ATTEMPTS', { of, retryAfterS })
      }
      for (const { key } of limits) countOf(key).count++
    },
    succeed(attempt) {
      for (const { key } of limitsOf(attempt)) {
        const count = countOf(key)
        count.count = Math.max(0, count.count - 1)
      }
    },
  }
}

function limitsOf({ user, address, isKnown }: Attempt) {
  const name = typeof user === 'string' ? user.toLowerCase() : user
  const from = address ?? 'socket'
  return [
    {
      key: keyOf('address', from),
      of: 'address',
      limit: address === null ? most.socket : most.address,
    },
    {
      key: isKnown ? keyOf('user', name, from) : keyOf('user', name),
      of: 'user',
      limit: most.user,
    },
  ] as const
}

/** Names are whatever was given, so the parts are quoted: no name counts as another user's. */
function keyOf(...parts: readonly (number | string)[]): string {
  return JSON.stringify(parts)
}
