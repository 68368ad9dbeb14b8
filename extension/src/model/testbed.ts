import {
  acceptOf,
  applyChanges,
  backoffMs,
  createBoard,
  fromProblem,
  messageOf,
  problemMediaType,
  routes,
  type AnyChange,
  type Board,
  type Problem,
} from '@community-lab/contract'
import { readEvents } from './event-stream.ts'

/** The address of a testbed, and how to connect to it. */
export interface TestbedOptions {
  /** Base URL of the server, without a trailing slash. */
  readonly baseUrl: string
  /** The token; empty: none is sent, because the state of a testbed is public. */
  readonly token: string
  /** The last known board, from which to continue. */
  readonly board?: Board | null
  /** The function that sends requests; default: the browser's `fetch`. */
  readonly fetch?: typeof fetch
  /** Return the delay before the next attempt, in milliseconds, after this many failures in a row. */
  readonly retryDelayMs?: (failures: number) => number
  /** A connection that is silent for longer is dead, in milliseconds. Default: 40 s, which is four heartbeats of the server. */
  readonly silenceMs?: number
}

/** Whether the panel is connected to the testbed. */
export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  | { readonly state: 'lost'; readonly reason: string; readonly retryAt: number }

/** The view of a testbed, which callers of {@link followTestbed} receive after each change. */
export interface TestbedView {
  readonly connection: Connection
  /** The last known board, also while the connection is lost; null before the first one. */
  readonly board: Board | null
  /** The changes from the previous board to this one; null when the board was read as a whole or did not change. */
  readonly changes?: readonly AnyChange[] | null
}

/**
 * Follow a testbed: open the event stream, read the lists, then apply each change. After a lost connection, continue from the last change.
 *
 * The lists are read after the stream has announced its beginning, so that no change is missed between the two. Never rejects. Ends when `signal` is aborted.
 */
export async function followTestbed(
  options: TestbedOptions,
  onView: (view: TestbedView) => void,
  signal: AbortSignal,
): Promise<void> {
  const retryDelayMs = options.retryDelayMs ?? ((failures) => backoffMs(backoff, failures))
  let board: Board | null = options.board ?? null
  let failures = 0
  while (isWanted(signal)) {
    try {
      await followOnce(options, board, signal, (next, changes) => {
        board = next
        failures = 0
        onView({ connection: { state: 'live' }, board, changes })
      })
      // The server ends every stream after a while on purpose. Continue from the last change.
      await waitFor(resumeDelayMs, signal)
    } catch (error) {
      if (!isWanted(signal)) return
      failures += 1
      const delayMs = retryDelayMs(failures)
      const connection = { state: 'lost', reason: messageOf(error), retryAt: Date.now() + delayMs }
      onView({ connection: connection as Connection, board })
      await waitFor(delayMs, signal)
      onView({ connection: { state: 'connecting' }, board })
    }
  }
}

/** The delay before a stream that the server has ended is opened again, in milliseconds. */
const resumeDelayMs = 200

/** The longest delay is short, because a user is looking at the panel. */
const backoff = { firstMs: 1_000, longestMs: 5_000 }

async function followOnce(
  options: TestbedOptions,
  known: Board | null,
  signal: AbortSignal,
  onBoard: (board: Board, changes: readonly AnyChange[] | null) => void,
): Promise<void> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const headers: Record<string, string> = { accept: acceptOf('text/event-stream') }
  if (known !== null) headers['last-event-id'] = known.cursor
  const response = await ask(options, routes.events, headers, either)
  const type = response.headers.get('content-type') ?? 'something unnamed'
  // For example a login page, or another server.
  if (!type.startsWith('text/event-stream'))
    throw new Error(`${options.baseUrl} answered with ${type} in the place of events`)
  let board = known
  let eventCount = 0
  let pending: AnyChange[] = []
  let loading: Promise<void> | null = null
  let isScheduled = false
  /** Apply all changes of one chunk together, so that the board is copied only once. */
  const flush = () => {
    isScheduled = false
    if (board === null || loading !== null || pending.length === 0) return
    const changes = pending
    pending = []
    const next = applyChanges(board, changes)
    if (next !== board) onBoard((board = next), changes)
  }
  const publish = (change: AnyChange) => {
    pending.push(change)
    if (isScheduled) return
    isScheduled = true
    queueMicrotask(flush)
  }
  const load = async (lastEventId: number, cursor: string | undefined) => {
    const lists = await readLists(options, either)
    board = applyChanges(createBoard(lists, lastEventId, cursor), pending)
    pending = []
    loading = null
    onBoard(board, null)
  }
  try {
    if (board !== null) onBoard(board, null)
    await readEvents(
      response,
      ({ id, event, data }) => {
        eventCount += 1
        // Ignore other events, which newer servers may send.
        if (event !== 'change' && event !== 'hello' && event !== 'reset') return
        const body: unknown = JSON.parse(data)
        if (event === 'change') publish({ ...(body as AnyChange), cursor: id })
        // `hello` announces the beginning of the stream. `reset` means that the server no longer has the changes since our last one. Read the lists.
        else if ((event === 'hello' && board === null) || event === 'reset') {
          loading = load((body as { id: number }).id, id)
          loading.catch((error: unknown) => {
            stop.abort(error)
          })
        }
      },
      options.silenceMs ?? 40_000,
    )
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error
  }
  // A reader that continues from a change gets no event when nothing has changed since.
  if (known === null && eventCount === 0)
    throw new Error('its stream of events ended before it began')
}

async function readLists(
  options: TestbedOptions,
  signal: AbortSignal,
): Promise<Parameters<typeof createBoard>[0]> {
  const list = async (route: string): Promise<readonly unknown[]> => {
    const response = await ask(options, route, { accept: acceptOf() }, signal)
    const found: unknown = await response.json()
    if (Array.isArray(found)) return found as readonly unknown[]
    throw new Error(`${options.baseUrl}${route} answered with something that is no list`)
  }
  const [nodes, slices, slivers] = await Promise.all([
    list(routes.nodes),
    list(routes.slices),
    list(routes.slivers),
  ])
  return { nodes, slices, slivers }
}

async function ask(
  options: TestbedOptions,
  route: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  const authorization = options.token === '' ? {} : { authorization: `Bearer ${options.token}` }
  const response = await (options.fetch ?? fetch)(options.baseUrl + route, {
    headers: { ...headers, ...authorization },
    signal,
    cache: 'no-store',
  })
  if (response.ok) return response
  const isProblem = response.headers.get('content-type')?.startsWith(problemMediaType)
  if (isProblem === true) throw fromProblem((await response.json()) as Problem)
  // The proxy of the server (JupyterLab's or nginx) reports that the server is away.
  if (response.status >= 500) throw new Error(`its server does not answer (${response.status})`)
  throw new Error(`${options.baseUrl} answered ${response.status} ${response.statusText}`)
}

/** A function, because the signal may be aborted during a wait, and TypeScript assumes that a property that was checked does not change. */
function isWanted(signal: AbortSignal): boolean {
  return !signal.aborted
}

async function waitFor(delayMs: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const finish = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, delayMs)
    signal.addEventListener('abort', finish)
  })
}
