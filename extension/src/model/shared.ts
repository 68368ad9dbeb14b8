import { applyChanges, type AnyChange, type Board } from '@community-lab/contract'
import { followTestbed, type Connection, type TestbedOptions, type TestbedView } from './testbed.ts'

/** Returned by {@link followShared}. */
export interface Following {
  /** Try to connect again now, in the tab that has the connection. */
  retry(): void
  /** Stop. Another tab takes over the connection, if there is one. */
  stop(): void
}

/** A message from one tab to the others. */
type Message =
  /** A new tab. The tab that has the connection answers with the whole board. */
  | { readonly kind: 'hello' }
  | { readonly kind: 'retry' }
  | { readonly kind: 'view'; readonly connection: Connection; readonly board: Board | null }
  | {
      readonly kind: 'changes'
      readonly connection: Connection
      readonly changes: readonly AnyChange[]
    }

/**
 * Follow a testbed over one connection for all tabs of a browser. The tab that holds a lock has the connection, and sends what it receives to the others. When
 * that tab is closed, the next one gets the lock and continues from its own board. A page without locks, because it is not a secure context, has a connection
 * of its own.
 */
export function followShared(
  options: TestbedOptions,
  onView: (view: TestbedView) => void,
): Following {
  const stopping = new AbortController()
  const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks
  const name = `community-lab ${options.baseUrl} ${fingerprintOf(options.token)}`
  const channel = locks === undefined ? null : new BroadcastChannel(name)
  let view: TestbedView = { connection: { state: 'connecting' }, board: options.board ?? null }
  let attempt: AbortController | null = null
  const post = (message: Message) => {
    if (!stopping.signal.aborted) channel?.postMessage(message)
  }
  const show = (next: TestbedView) => {
    view = next
    onView(next)
  }
  const postView = () => {
    post({ kind: 'view', connection: view.connection, board: view.board })
  }

  /** Hold the connection until this tab stops. */
  const lead = async () => {
    while (!stopping.signal.aborted) {
      attempt = new AbortController()
      const signal = AbortSignal.any([stopping.signal, attempt.signal])
      await followTestbed(
        { ...options, board: view.board },
        (next) => {
          show(next)
          const { connection, changes } = next
          if (changes == null) postView()
          else post({ kind: 'changes', connection, changes })
        },
        signal,
      )
    }
  }

  const retry = () => {
    if (attempt === null) {
      post({ kind: 'retry' })
      return
    }
    show({ ...view, connection: { state: 'connecting' }, changes: null })
    postView()
    attempt.abort()
  }

  const isLeader = () => attempt !== null
  channel?.addEventListener('message', ({ data }: MessageEvent<Message>) => {
    if (data.kind === 'hello') {
      if (isLeader()) postView()
    } else if (data.kind === 'retry') {
      if (isLeader()) retry()
    } else if (isLeader()) return
    else if (data.kind === 'view') show({ connection: data.connection, board: data.board })
    // This tab does not have the board that the changes apply to. The whole board is on its way.
    else if (view.board !== null)
      show({ connection: data.connection, board: applyChanges(view.board, data.changes) })
  })
  onView(view)
  if (locks === undefined) void lead()
  else {
    post({ kind: 'hello' })
    locks.request(name, { signal: stopping.signal }, lead).catch(() => {
      // This tab stopped while it waited for the lock.
    })
  }
  return {
    retry,
    stop() {
      stopping.abort()
      channel?.close()
    },
  }
}

/** Hash a token. Tabs with different tokens share no connection, because they may see different things. Source: FNV-1a, 32 bits. */
function fingerprintOf(token: string): string {
  let hash = 0x811c9dc5
  for (const character of token) {
    hash ^= character.codePointAt(0) ?? 0
    hash = Math.imul(hash, 0x01000193)
  }
  return (hash >>> 0).toString(16)
}
