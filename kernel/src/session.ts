import { LabError, routes, User } from '@community-lab/contract'
import type { FoundCredentials } from './credentials/credentials.ts'
import type { SshKey } from './credentials/ssh-key.ts'
import { createHttpClient, type HttpClient } from './http/client.ts'
import { createSshPool, type SshPool } from './ssh/pool.ts'

/** What all objects of one `connect` share. */
export interface Session {
  readonly http: HttpClient
  /** A client of the virtual testbed itself, on this machine. @throws {@link LabError} LAB_NOT_VIRTUAL when this testbed is not virtual. */
  control(): HttpClient
  readonly pool: SshPool
  readonly credentials: FoundCredentials
  /** Aborted when the lab is closed. */
  readonly signal: AbortSignal
  /**
   * Make sure that the server has our SSH key. It is sent once in a session, and again if `isRefused`: a sliver does not accept the key, for example because
   * the server was restored from an older backup.
   */
  registerKey(options?: { readonly isRefused: boolean }): Promise<void>
  /** Call a function when the session is closed. */
  onClose(cleanup: () => Promise<void> | void): void
  close(): Promise<void>
}

/** Open a session. Nothing is sent yet. */
export function openSession(credentials: FoundCredentials, key: SshKey): Session {
  const closing = new AbortController()
  const cleanups: (() => Promise<void> | void)[] = []
  const { url, token, vct_socket: socketPath } = credentials
  const http = createHttpClient({ url, token, signal: closing.signal })
  let control: HttpClient | null = null
  let registered: Promise<void> | null = null
  const registerKey = ({ isRefused } = { isRefused: false }): Promise<void> => {
    if (isRefused) registered = null
    registered ??= http
      .ask(User, routes.addAuthToken, { method: 'POST', body: { auth_token: key.publicKey } })
      .then(() => undefined)
    registered.catch(() => {
      // The next call sends it again.
      registered = null
    })
    return registered
  }
  const pool = createSshPool({
    url,
    headers: () => http.headers(),
    privateKey: key.privateKey,
    registerKey,
    signal: closing.signal,
  })
  return {
    http,
    control() {
      if (socketPath === undefined) throw new LabError('LAB_NOT_VIRTUAL', { url })
      const { signal } = closing
      control ??= createHttpClient({ url: 'http://vct', token: null, socketPath, signal })
      return control
    },
    pool,
    credentials,
    signal: closing.signal,
    registerKey,
    onClose: (cleanup) => void cleanups.push(cleanup),
    async close() {
      pool.close()
      closing.abort(new DOMException('the lab was closed', 'AbortError'))
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
      await Promise.all([http.close(), control?.close()])
    },
  }
}
