import { routes } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { followTestbed, type TestbedView } from '../../../extension/src/model/testbed.ts'

/** A server in memory: what each stream says, and the requests it saw. */
class FakeServer {
  readonly requests: { readonly path: string; readonly headers: Headers }[] = []
  readonly streams: ((push: (text: string) => void, end: () => void) => void)[] = []
  nodes: object[] = []

  /** What answers instead, such as a page to log in. */
  page: string | null = null

  readonly fetch: typeof fetch = (input, init) => {
    const path = new URL(input as string).pathname
    this.requests.push({ path, headers: new Headers(init?.headers) })
    if (this.page !== null)
      return Promise.resolve(new Response(this.page, { headers: { 'content-type': 'text/html' } }))
    if (path === routes.nodes) return Promise.resolve(Response.json(this.nodes))
    if (path !== routes.events) return Promise.resolve(Response.json([]))
    const script = this.streams.shift()
    if (script === undefined) return Promise.reject(new TypeError('connection refused'))
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const push = (text: string) => controller.enqueue(new TextEncoder().encode(text))
        init?.signal?.addEventListener('abort', () => {
          controller.error(new DOMException('aborted', 'AbortError'))
        })
        script(push, () => controller.close())
      },
    })
    return Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
  }
}

const change = (id: number, name: string) =>
  `id: ${id}\nevent: change\ndata: ${JSON.stringify({ id, time: '2026-01-01T00:00:00Z', kind: 'node', action: 'updated', object_id: '1', object: { id: 1, name } })}\n\n`

/** Follow until a view satisfies, then stop. */
async function followUntil(server: FakeServer, wanted: (view: TestbedView) => boolean) {
  const stop = new AbortController()
  const views: TestbedView[] = []
  await followTestbed(
    { baseUrl: 'http://lab', token: '', fetch: server.fetch, retryDelayMs: () => 0 },
    (view) => {
      views.push(view)
      if (wanted(view)) stop.abort()
    },
    stop.signal,
  )
  return views
}

it('reads the lists after the stream began, and then each change', async () => {
  const server = new FakeServer()
  server.nodes = [{ id: 1, name: 'n1' }]
  server.streams.push((push) => {
    push('event: hello\ndata: {"id":4}\n\n')
    push(change(5, 'renamed'))
  })
  const views = await followUntil(server, (view) => view.board?.lastEventId === 5)
  expect(views.at(-1)?.board?.nodes.get(1)?.name).toBe('renamed')
  expect(views.at(-1)?.connection.state).toBe('live')
})

it('goes on from the last change after the server ended the stream', async () => {
  const server = new FakeServer()
  server.streams.push((push, end) => {
    push('event: hello\ndata: {"id":4}\n\n')
    setTimeout(() => {
      push(change(5, 'a'))
      end()
    }, 0)
  })
  server.streams.push((push) => push(change(6, 'b')))
  const views = await followUntil(server, (view) => view.board?.lastEventId === 6)
  const events = server.requests.filter((request) => request.path === routes.events)
  expect(events.map((request) => request.headers.get('last-event-id'))).toEqual([null, '5'])
  expect(views.at(-1)?.board?.nodes.get(1)?.name).toBe('b')
})

it('gives the server’s own cursor back, by which a server that was restored is noticed', async () => {
  const server = new FakeServer()
  server.streams.push((push, end) => {
    push('id: 4.m1\nevent: hello\ndata: {"id":4}\n\n')
    setTimeout(end, 0)
  })
  server.streams.push((push, end) => {
    push(change(5, 'a').replace('id: 5', 'id: 5.m2'))
    end()
  })
  server.streams.push((push) => push('id: 6.m3\nevent: reset\ndata: {"id":6}\n\n'))
  await followUntil(server, (view) => view.board?.lastEventId === 6)
  const events = server.requests.filter((request) => request.path === routes.events)
  expect(events.map((request) => request.headers.get('last-event-id'))).toEqual([
    null,
    '4.m1',
    '5.m2',
  ])
})

it('keeps what it knew and says why while the testbed is lost, then recovers', async () => {
  const server = new FakeServer()
  server.nodes = [{ id: 1, name: 'n1' }]
  server.streams.push((push) => push('event: hello\ndata: {"id":4}\n\n'))
  const stop = new AbortController()
  const views: TestbedView[] = []
  await followTestbed(
    { baseUrl: 'http://lab', token: '', fetch: server.fetch, retryDelayMs: () => 0, silenceMs: 20 },
    (view) => {
      views.push(view)
      if (view.connection.state === 'lost') {
        if (server.streams.length === 0) server.streams.push((push) => push(change(5, 'back')))
      }
      if (view.board?.lastEventId === 5) stop.abort()
    },
    stop.signal,
  )
  const lost = views.find((view) => view.connection.state === 'lost')
  expect(lost?.board?.nodes.size).toBe(1)
  expect(lost?.connection).toMatchObject({
    reason: expect.stringContaining('nothing was heard') as string,
  })
  expect(views.at(-1)?.board?.nodes.get(1)?.name).toBe('back')
})

it('says so, and takes its time, when a page answers in the place of the testbed', async () => {
  const server = new FakeServer()
  server.page = '<form>Log in</form>'
  const views = await followUntil(server, (view) => view.connection.state === 'lost')
  const lost = views.find((view) => view.connection.state === 'lost')
  expect(lost?.connection).toMatchObject({
    reason: expect.stringContaining('answered with text/html') as string,
  })
  expect(server.requests).toHaveLength(1)
})

it('takes its time with a server that ends each stream before it says anything', async () => {
  const server = new FakeServer()
  server.streams.push((_, end) => end())
  const views = await followUntil(server, (view) => view.connection.state === 'lost')
  const lost = views.find((view) => view.connection.state === 'lost')
  expect(lost?.connection).toMatchObject({
    reason: expect.stringContaining('ended before') as string,
  })
})

it('stays live when a stream on which nothing changed is ended and taken up again', async () => {
  const server = new FakeServer()
  server.streams.push((push, end) => {
    push('event: hello\ndata: {"id":4}\n\n')
    setTimeout(end, 0)
  })
  // As the server does it: who goes on from a change is told the changes since, and nothing else.
  server.streams.push((push, end) => {
    push(': connected\n\n')
    end()
  })
  server.streams.push((push) => push(change(5, 'later')))
  const views = await followUntil(server, (view) => view.board?.lastEventId === 5)
  expect(views.filter((view) => view.connection.state === 'lost')).toEqual([])
})
