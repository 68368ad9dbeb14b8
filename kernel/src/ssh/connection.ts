import type { Duplex } from 'node:stream'
import { LabError } from '@community-lab/contract'
import ssh2, { type ClientChannel, type Client as SshClient } from 'ssh2'
import { describeCause } from '../http/client.ts'
import { orAborted } from '../wait/signal.ts'

/** The address of an SSH server and its identity. */
export interface ConnectionOptions {
  readonly sliver: string
  readonly node: string
  /** The sliver's public host key, in the form of authorized_keys. Any other key is refused. */
  readonly hostKey: string
  readonly privateKey: string
  readonly signal: AbortSignal
}

/** An SSH connection to one sliver. */
export interface SshConnection {
  /** Whether a command can still be started. */
  readonly open: boolean
  /** Start a command. Rejects with {@link NotStarted} when it is certain that the command did not run. */
  exec(command: string): Promise<StartedCommand>
  /** Call a listener once with the reason when the connection ends. Returns a function that removes the listener. */
  onEnd(listener: (reason: string) => void): () => void
  close(): void
}

/** A command that was started. */
export interface StartedCommand {
  readonly channel: ClientChannel
  /** How the command ended: with an exit code, or by a signal (without SIG). Null until the sliver has reported it. */
  readonly exit: { readonly exitCode: number | null; readonly signal: string | null } | null
}

/** Thrown when a command certainly did not run, so that it can be tried again without harm. */
export class NotStarted extends Error {
  /** True: the sliver's SSH server refused to start it. False: the connection was gone. */
  readonly isRefusal: boolean

  constructor(reason: string, options: ErrorOptions & { readonly isRefusal: boolean }) {
    super(reason, options)
    this.isRefusal = options.isRefusal
  }
}

const readyTimeoutMs = 20_000
const keepaliveMs = 5_000

/**
 * Open an SSH connection over a stream.
 *
 * @throws {@link LabError} LAB_SSH_HOST_KEY when the server has another host key; LAB_SSH_FAILED, with the reason `authentication` when it refuses our key.
 */
export async function connectSsh(sock: Duplex, options: ConnectionOptions): Promise<SshConnection> {
  const { sliver, node, signal } = options
  const expected = Buffer.from(options.hostKey.split(' ')[1] ?? '', 'base64')
  const client = new ssh2.Client()
  let wrongKey = false
  const ready = new Promise<void>((resolve, reject) => {
    client.once('ready', resolve)
    client.once('error', (cause) => {
      if (wrongKey) {
        reject(new LabError('LAB_SSH_HOST_KEY', { sliver, node }))
        return
      }
      const refused = 'level' in cause && cause.level === 'client-authentication'
      const reason = refused ? authenticationFailed : describeCause(cause)
      reject(new LabError('LAB_SSH_FAILED', { sliver, node, reason }, { cause }))
    })
    client.once('close', () =>
      reject(
        new LabError('LAB_SSH_FAILED', { sliver, node, reason: 'the connection was closed early' }),
      ),
    )
  })
  client.connect({
    sock,
    username: 'root',
    privateKey: options.privateKey,
    // By default, ssh2 first tries to authenticate with nothing, which costs a round trip and always fails.
    authHandler: ['publickey'],
    readyTimeout: readyTimeoutMs,
    keepaliveInterval: keepaliveMs,
    keepaliveCountMax: 3,
    hostVerifier: (found: Buffer) => {
      wrongKey = !found.equals(expected)
      return !wrongKey
    },
  })
  try {
    await orAborted(ready, signal)
  } catch (error) {
    client.on('error', () => undefined).destroy()
    sock.on('error', () => undefined).destroy()
    throw error
  }
  return watchConnection(client, sock)
}

/** The reason of LAB_SSH_FAILED when the sliver does not accept our key (yet). */
export const authenticationFailed = 'authentication: the sliver does not accept this key'

function watchConnection(client: SshClient, sock: Duplex): SshConnection {
  let open = true
  let reason = 'it was closed'
  const listeners = new Set<(reason: string) => void>()
  const end = (): void => {
    if (!open) return
    open = false
    for (const listener of listeners) listener(reason)
    listeners.clear()
  }
  client.on('error', (error) => {
    reason = describeCause(error)
  })
  client.on('close', end)
  client.on('end', end)
  // Otherwise small packets wait for 40 ms.
  client.setNoDelay(true)

  function exec(command: string): Promise<StartedCommand> {
    return new Promise((resolve, reject) => {
      if (!open) throw new NotStarted(reason, { isRefusal: false })
      try {
        client.exec(command, (error, channel) => {
          if (error === undefined) {
            resolve(watchExit(channel))
            return
          }
          // A command on a connection that broke may have run. Only a refusal says that it did not. The end of the connection is reported after this.
          setImmediate(() =>
            reject(open ? new NotStarted(error.message, { cause: error, isRefusal: true }) : error),
          )
        })
      } catch (error) {
        throw new NotStarted(describeCause(error), { cause: error, isRefusal: false })
      }
    })
  }

  return {
    get open() {
      return open
    },
    onEnd(listener) {
      if (open) listeners.add(listener)
      else listener(reason)
      return () => void listeners.delete(listener)
    },
    exec,
    close() {
      client.end()
      sock.destroy()
      end()
    },
  }
}

/**
 * Send a signal to a command. ssh2 refuses that once the input of the command has ended, although SSH allows it. So the packet is sent below ssh2's check.
 *
 * Source: RFC 4254 section 5.3 (after EOF the channel stays open the other way) and 6.9; ssh2 1.17.0, lib/Channel.js.
 */
export function sendSignal(channel: ClientChannel, name: string): void {
  const inner: object = channel
  if (!isInnerChannel(inner)) {
    channel.signal(name)
    return
  }
  const { id, state } = inner.outgoing
  if (state === 'open' || state === 'eof') inner._client._protocol.signal(id, name)
}

/** The internal members of ssh2's channels that are used here. */
interface InnerChannel {
  readonly outgoing: { readonly id: number; readonly state: string }
  readonly _client: { readonly _protocol: { signal(id: number, name: string): void } }
}

function isInnerChannel(channel: object): channel is InnerChannel {
  const client: unknown = Reflect.get(channel, '_client')
  const protocol: unknown = client instanceof ssh2.Client ? Reflect.get(client, '_protocol') : null
  return (
    typeof protocol === 'object' &&
    protocol !== null &&
    typeof Reflect.get(protocol, 'signal') === 'function' &&
    typeof Reflect.get(channel, 'outgoing') === 'object'
  )
}

/** Listen for the exit from the beginning: a very short command reports it in the same packet as its start. */
function watchExit(channel: ClientChannel): StartedCommand {
  let exit: StartedCommand['exit'] = null
  channel.on('exit', (exitCode: number | null, name?: string) => {
    exit = { exitCode, signal: name?.replace(/^SIG/u, '') ?? null }
  })
  return {
    channel,
    get exit() {
      return exit
    },
  }
}
