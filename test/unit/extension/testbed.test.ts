import { routes } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { followTestbed, type TestbedView } from '../../../extension/src/model/testbed.ts'
import { FakeServer, change } from './fake-server.ts'

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

it('goes on with a server from the future: events and kinds that it does not know change nothing', async () => {
  const server = new FakeServer()
  server.nodes = [{ id: 1, name: 'n1', mood: 'good', state: 'hibernating' }, { unknown: 1 }]
  server.streams.push((push) => {
    push('event: hello\ndata: {"id":4,"more":true}\n\n')
    push('event: weather\ndata: not even JSON\n\n')
    push(change(5, 'a').replace('"kind":"node"', '"kind":"campaign"'))
    push(change(6, 'b'))
  })
  const views = await followUntil(server, (view) => view.board?.lastEventId === 6)
  expect(views.filter((view) => view.connection.state === 'lost')).toEqual([])
  expect(views.at(-1)?.board?.nodes.get(1)?.name).toBe('b')
})

it('applies at once what came at once', async () => {
  const server = new FakeServer()
  server.streams.push((push) => {
    push('event: hello\ndata: {"id":4}\n\n')
    setTimeout(() => {
      push(Array.from({ length: 1_000 }, (_, index) => change(5 + index, 'a')).join(''))
    }, 0)
  })
  const views = await followUntil(server, (view) => view.board?.lastEventId === 1_004)
  expect(views.filter(({ board }) => board !== null).length).toBeLessThan(5)
})
