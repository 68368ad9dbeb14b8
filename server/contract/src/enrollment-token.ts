import { LabError } from './error/lab-error.ts'

/** The content of a one-time enrolment token: the address of the server in the community network, and how to identify it. */
export interface EnrollmentSecret {
  /** The server in the community network, https. */
  readonly url: string
  /** SHA-256 of the server's certificate (DER), 64 hexadecimal digits. */
  readonly certificateSha256: string
  /** The one-time secret. */
  readonly secret: string
}

const marker = 'clenroll1.'

/** Pack an enrolment token into one line without blanks. */
export function formatEnrollmentToken(secret: EnrollmentSecret): string {
  const { url, certificateSha256 } = secret
  return marker + toBase64Url(JSON.stringify([url, certificateSha256, secret.secret]))
}

/** Unpack an enrolment token. @throws {@link LabError} LAB_ENROLLMENT_MALFORMED. */
export function parseEnrollmentToken(token: string): EnrollmentSecret {
  const text = token.trim()
  if (!text.startsWith(marker))
    throw new LabError('LAB_ENROLLMENT_MALFORMED', { reason: `it does not begin with ${marker}` })
  let list: unknown
  try {
    list = JSON.parse(fromBase64Url(text.slice(marker.length)))
  } catch (cause) {
    throw new LabError(
      'LAB_ENROLLMENT_MALFORMED',
      { reason: 'it is cut short or damaged' },
      { cause },
    )
  }
  const fields: readonly unknown[] = Array.isArray(list) ? list : []
  const [url, certificateSha256, secret] = fields
  const valid =
    fields.length === 3 &&
    typeof url === 'string' &&
    url.startsWith('https://') &&
    typeof certificateSha256 === 'string' &&
    /^[0-9a-f]{64}$/u.test(certificateSha256) &&
    typeof secret === 'string' &&
    secret.length >= 32
  if (!valid)
    throw new LabError('LAB_ENROLLMENT_MALFORMED', { reason: 'its parts are not those of a token' })
  return { url, certificateSha256, secret }
}

function toBase64Url(text: string): string {
  const binary = Array.from(new TextEncoder().encode(text), (byte) =>
    String.fromCharCode(byte),
  ).join('')
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/u, '')
}

function fromBase64Url(text: string): string {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return new TextDecoder('utf-8', { fatal: true }).decode(
    Uint8Array.from(binary, (char) => char.charCodeAt(0)),
  )
}
