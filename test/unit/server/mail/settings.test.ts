import { LabError } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import { readServerConfiguration } from '../../../../server/src/config.ts'
import { parseSender, parseSmtpUrl } from '../../../../server/src/mail/settings.ts'
import { environmentOf, serverSettings } from '../../../support/server-settings.ts'

describe('the URL of an SMTP server', () => {
  it.each([
    ['smtps://me:pass%2Fword@mail.example', 'mail.example', 465, 'implicit'],
    ['smtp://mail.example', 'mail.example', 587, 'starttls'],
    ['smtp://mail.example:2525/', 'mail.example', 2525, 'starttls'],
    ['smtp://localhost', 'localhost', 25, 'none'],
    ['smtp://127.0.0.1:1025', '127.0.0.1', 1025, 'none'],
    ['smtp://[::1]', '::1', 25, 'none'],
    // This name only begins like an address of this machine.
    ['smtp://127.example', '127.example', 587, 'starttls'],
  ])('%s is read: TLS is never left out on the way to another machine', (url, host, port, tls) => {
    expect(parseSmtpUrl(url)).toMatchObject({ host, port, tls })
  })

  it('has a password with its characters, and is shown without it', () => {
    const read = parseSmtpUrl('smtps://me%40lab:pass%2Fword@mail.example:4650')
    expect(read).toMatchObject({ auth: { user: 'me@lab', pass: 'pass/word' } })
    expect(read?.shown).toBe('smtps://mail.example:4650')
  })

  it.each([
    'mail.example',
    'https://mail.example',
    'smtp://',
    'smtp://me@mail.example',
    'smtp://mail.example/path',
    'smtp://mail.example?tls=none',
    'smtp://me:%0d%0aQUIT@mail.example',
    'smtp://me:%zz@mail.example',
  ])('is not %s', (url) => expect(parseSmtpUrl(url)).toBeNull())
})

describe('the sender', () => {
  it.each([
    ['testbed@lab.example', '', 'testbed@lab.example'],
    ['The Testbed, ok <testbed@lab.example>', 'The Testbed, ok', 'testbed@lab.example'],
  ])('%s is read', (text, name, address) => {
    expect(parseSender(text)).toEqual({ name, address })
  })

  it.each([
    'testbed',
    'Testbed testbed@lab.example',
    '<testbed@lab.example',
    'a@b.example, c@d.example',
    'Testbed\r\nBcc: x@y.example <testbed@lab.example>',
  ])('is not %j', (text) => expect(parseSender(text)).toBeNull())
})

describe('the settings of e-mail', () => {
  const read = (more: Readonly<Record<string, string>>) => {
    try {
      return readServerConfiguration(environmentOf({ ...serverSettings('/x'), ...more })).smtp
    } catch (error) {
      if (LabError.is(error)) return error.message
      throw error
    }
  }
  const good = {
    SMTP_URL: 'smtps://me:secret@mail.example',
    SMTP_FROM: 'Testbed <testbed@lab.example>',
    PUBLIC_URL: 'https://lab.example',
  }

  it('are none, or whole', () => {
    expect(read({})).toBeNull()
    expect(read(good)).toMatchObject({ host: 'mail.example', from: { name: 'Testbed' } })
  })

  it.each([
    ['SMTP_FROM', { SMTP_FROM: '' }],
    ['PUBLIC_URL', { PUBLIC_URL: '' }],
    ['SMTP_URL', { SMTP_URL: '' }],
    ['SMTP_URL', { SMTP_URL: 'smtps://me:secret@mail.example/x' }],
    ['SMTP_FROM', { SMTP_FROM: 'nobody' }],
  ])('are refused in words, without the password: %s', (name, change) => {
    const message = read({ ...good, ...change })
    expect(message).toMatch(new RegExp(`^COMMUNITY_LAB_SERVER_${name} is `, 'u'))
    expect(message).not.toContain('secret')
  })
})
