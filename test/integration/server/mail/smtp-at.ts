import {
  parseSender,
  parseSmtpUrl,
  type SmtpSettings,
} from '../../../../server/src/mail/settings.ts'

/** Return the settings of an SMTP server on this machine. */
export function smtpAt(port: number): SmtpSettings {
  const url = parseSmtpUrl(`smtp://127.0.0.1:${port}`)
  const from = parseSender('Testbed <testbed@lab.example>')
  if (url === null || from === null) throw new Error('no settings')
  return { ...url, from }
}
