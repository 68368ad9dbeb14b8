import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '@community-lab/contract'
import { writeWhole } from '@community-lab/contract/host'

/** The server's certificate. The server creates it itself, and clients that know its fingerprint pin it. */
export interface ServerCertificate {
  readonly certPem: string
  readonly keyPem: string
  /** SHA-256 of the certificate (DER), 64 hexadecimal digits. */
  readonly sha256: string
}

/**
 * Read the server's certificate and key, or create them the first time. They are valid for long, because nodes know the server only by this certificate.
 *
 * @throws {@link LabError} LAB_CONFIG_INVALID when they are damaged, because new ones would lock out every node.
 */
export async function ensureCertificate(dir: string): Promise<ServerCertificate> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const files = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem') }
  const certPem = await readFile(files.cert, 'utf8').catch(ifMissing)
  if (certPem === null) {
    // Loaded only for this, because it takes a twentieth of the processor time of the server's start.
    const { makeCertificate } = await import('./make-certificate.ts')
    const made = await makeCertificate()
    // Write the certificate last: when it exists, the key exists, too.
    await writeWhole(files.key, made.keyPem)
    await writeWhole(files.cert, made.certPem)
    return { ...made, sha256: fingerprint(made.certPem) }
  }
  const keyPem = await readFile(files.key, 'utf8').catch(ifMissing)
  if (keyPem === null)
    throw new LabError('LAB_CONFIG_INVALID', {
      variable: files.key,
      found: 'nothing',
      expected: `the key of ${files.cert}; restore it, or remove both and enrol every node again`,
    })
  if (!belongTogether(certPem, keyPem))
    throw new LabError('LAB_CONFIG_INVALID', {
      variable: files.cert,
      found: `a certificate and a key (${files.key}) that are damaged or do not belong together`,
      expected:
        'both as the server wrote them; restore them, or remove both and enrol every node again',
    })
  return { certPem, keyPem, sha256: fingerprint(certPem) }
}

/** Return whether both can be read, and the key is the certificate's. */
function belongTogether(certPem: string, keyPem: string): boolean {
  try {
    return new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem))
  } catch {
    return false
  }
}

function fingerprint(certPem: string): string {
  return createHash('sha256').update(new X509Certificate(certPem).raw).digest('hex')
}

function ifMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
  throw error
}
