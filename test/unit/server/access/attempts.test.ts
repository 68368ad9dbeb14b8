import { LabError } from '@community-lab/contract'
import type { FastifyRequest } from 'fastify'
import { describe, expect, it } from 'vitest'
import { createAttempts } from '../../../../server/src/access/attempts.ts'
import { addressOf } from '../../../../server/src/http/asker.ts'

const quarterMs = 15 * 60_000

/** Tries with wrong passwords, each of another user, and the code of the last refusal; null: it was let try. */
function guesser() {
  let nowMs = 0
  let made = 0
  const attempts = createAttempts(() => nowMs)
  return {
    wait: (ms: number) => void (nowMs += ms),
    guess(address: string | null, count = 1): string | null {
      try {
        for (let times = 0; times < count; times++)
          attempts.begin({ user: `nobody-${made++}`, address, isKnown: false })
        return null
      } catch (error) {
        if (!LabError.is(error)) throw error
        return error.code
      }
    },
  }
}

describe('guessing a password', () => {
  it('ends after 250 tries from one address, for a quarter of an hour', () => {
    const { guess, wait } = guesser()
    expect(guess('2001:db8:5:0', 250)).toBeNull()
    expect(guess('2001:db8:5:0')).toBe('LAB_AUTH_TOO_MANY_ATTEMPTS')
    expect(guess('2001:db8:6:0')).toBeNull()
    wait(quarterMs - 1)
    expect(guess('2001:db8:5:0')).toBe('LAB_AUTH_TOO_MANY_ATTEMPTS')
    wait(1)
    expect(guess('2001:db8:5:0')).toBeNull()
  })

  it('ends after 500 tries through the socket, which all users of a machine share', () => {
    const { guess } = guesser()
    expect(guess(null, 500)).toBeNull()
    expect(guess(null)).toBe('LAB_AUTH_TOO_MANY_ATTEMPTS')
  })

  it('counts the whole /64 of an IPv6 address as one, because one client has it', () => {
    const at = (ip: string) => addressOf({ ip } as FastifyRequest)
    expect(at('2001:db8:5::2')).toBe(at('2001:db8:5::1'))
    expect(at('2001:db8:6::1')).not.toBe(at('2001:db8:5::1'))
  })
})
