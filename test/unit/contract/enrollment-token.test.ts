import { formatEnrollmentToken, LabError, parseEnrollmentToken } from '@community-lab/contract'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const secret = {
  url: 'https://[fd77::5e]:8443',
  certificateSha256: 'ab'.repeat(32),
  secret: 's'.repeat(43),
}

function refusal(token: string): unknown {
  try {
    return parseEnrollmentToken(token)
  } catch (error) {
    return error
  }
}

function pack(value: unknown): string {
  return `clenroll1.${Buffer.from(JSON.stringify(value)).toString('base64url')}`
}

describe('an enrolment token', () => {
  test('is one line of printable characters and is read back', () => {
    const token = formatEnrollmentToken(secret)
    expect(token).toMatch(/^clenroll1\.[A-Za-z0-9_-]+$/u)
    expect(parseEnrollmentToken(token)).toEqual(secret)
  })

  test('may be pasted with blanks and a newline around it', () => {
    expect(parseEnrollmentToken(`  ${formatEnrollmentToken(secret)}\n`)).toEqual(secret)
  })

  test('carries any secret and URL', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 32, maxLength: 200 })
    fc.assert(
      fc.property(text, fc.domain(), (word, domain) => {
        const packed = { ...secret, secret: word, url: `https://${domain}:8443` }
        expect(parseEnrollmentToken(formatEnrollmentToken(packed))).toEqual(packed)
      }),
    )
  })

  test('cut short anywhere is refused, never misread', () => {
    const token = formatEnrollmentToken(secret)
    for (let length = 0; length < token.length; length++) {
      expect(LabError.is(refusal(token.slice(0, length)), 'LAB_ENROLLMENT_MALFORMED')).toBe(true)
    }
  })

  test.each([
    ['nothing', ''],
    ['another kind of token', 'clab_0123456789abcdef'],
    ['an http URL', pack(['http://x', secret.certificateSha256, secret.secret])],
    ['a short fingerprint', pack([secret.url, 'ab', secret.secret])],
    ['a fingerprint in capitals', pack([secret.url, 'AB'.repeat(32), secret.secret])],
    ['a guessable secret', pack([secret.url, secret.certificateSha256, 'short'])],
    ['an object', pack(secret)],
    ['too many parts', pack([secret.url, secret.certificateSha256, secret.secret, 1])],
    ['bytes that are no text', `clenroll1.${Buffer.from([0xff, 0xfe]).toString('base64url')}`],
  ])('that is %s is refused', (_, token) => {
    expect(LabError.is(refusal(token), 'LAB_ENROLLMENT_MALFORMED')).toBe(true)
  })
})
