import { createHash } from 'node:crypto'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { LabError } from '@community-lab/contract'

/** Options of {@link connectPinned}. */
export interface PinnedConnectionOptions {
  /** `https://host[:port]`; the path is ignored. */
  readonly url: string
  /** The SHA-256 of the server's certificate (DER), 64 hexadecimal digits. */
  readonly certificateSha256: string
  readonly signal?: AbortSignal
}

/** The longest time for connecting, including TLS, in milliseconds. */
export const connectWithinMs = 10_000

/**
 * Open a TLS connection to a server that is identified by its certificate. The connection is returned only after the certificate was checked: until then only the
 * handshake was sent.
 *
 * @throws {@link LabError} LAB_CERTIFICATE_MISMATCH; LAB_CONNECTION_FAILED. An abort throws the signal's reason.
 */
export async function connectPinned(options: PinnedConnectionOptions): Promise<TLSSocket> {
  const { url, certificateSha256: expected } = options
  const { hostname, port, protocol } = new URL(url)
  if (protocol !== 'https:') throw failed(url, 'it is not https')
  options.signal?.throwIfAborted()
  // The fingerprint is the only check: the certificate is self-signed. The server always sends it, because no TLS session is resumed.
  const socket = connectTls({
    host: hostname.replaceAll(/^\[|\]$/gu, ''),
    port: port === '' ? 443 : Number(port),
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['http/1.1'],
    ...(/^[\d.]+$|:/u.test(hostname) ? {} : { servername: hostname }),
  })
  try {
    await handshake(socket, url, options.signal)
    const found = createHash('sha256').update(socket.getPeerCertificate().raw).digest('hex')
    if (found !== expected.toLowerCase()) {
      throw new LabError('LAB_CERTIFICATE_MISMATCH', { url, expected, found })
    }
  } catch (error) {
    socket.destroy()
    throw error
  }
  socket.setNoDelay(true)
  socket.setKeepAlive(true, 30_000)
  return socket
}

function handshake(socket: TLSSocket, url: string, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => settle(failed(url, `no answer in ${connectWithinMs} ms`)),
      connectWithinMs,
    )
    const abort = (): void => settle(abortReason(signal))
    const onError = (error: Error): void => settle(failed(url, error.message, error))
    const onClose = (): void => settle(failed(url, 'it closed the connection'))
    const onSecure = (): void => settle(null)
    function settle(error: Error | null): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      socket.off('close', onClose).off('secureConnect', onSecure).off('error', onError)
      // The next owner handles later errors. Until it listens, they must not end the process.
      socket.on('error', () => undefined)
      if (error === null) resolve()
      else reject(error)
    }
    signal?.addEventListener('abort', abort, { once: true })
    socket.once('error', onError).once('close', onClose).once('secureConnect', onSecure)
  })
}

function abortReason(signal?: AbortSignal): Error {
  const reason: unknown = signal?.reason
  return reason instanceof Error ? reason : new DOMException('aborted', 'AbortError')
}

function failed(url: string, reason: string, cause?: unknown): LabError {
  return new LabError('LAB_CONNECTION_FAILED', { url, reason, attempts: 1 }, { cause })
}
