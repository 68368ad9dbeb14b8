import { routes } from '@community-lab/contract'
import { afterEach, expect, it } from 'vitest'
import { followShared, type Following } from '../../../extension/src/model/shared.ts'
import type { TestbedView } from '../../../extension/src/model/testbed.ts'
import { FakeServer, change } from './fake-server.ts'

/** Tabs of one browser: they share its locks and its channels, and nothing else. */
class Tab {
  readonly views: TestbedView[] = []
  readonly following: Following
  #wanted: { readonly is: (view: TestbedView) => boolean; resolve(): void } | null = null

  constructor(server: FakeServer, baseUrl: string, token = '') {
    const options = { baseUrl, token, fetch: server.fetch, retryDelayMs: () => 60_000 }
    this.following = followShared(options, (view) => {
      this.views.push(view)
      if (this.#wanted?.is(view) === true) this.#wanted.resolve()
    })
  }

  get view(): TestbedView | undefined {
    return this.views.at(-1)
  }

  async until(is: (view: TestbedView) => boolean): Promise<void> {
    if (this.view !== undefined && is(this.view)) return
    await new Promise<void>((resolve) => {
      this.#wanted = { is, resolve }
    })
  }
}

const tabs: Tab[] = []
let lastAddress = 0
const addressOfTest = () => `http://lab-${++lastAddress}`
const open = (...args: ConstructorParameters<typeof Tab>): Tab => {
  const tab = new Tab(...args)
  tabs.push(tab)
  return tab
}
afterEach(() => {
  for (const { following } of tabs.splice(0)) following.stop()
})

const isLive = ({ connection, board }: TestbedView) => connection.state === 'live' && board !== null
const isAt =
  (id: number) =>
  ({ board }: TestbedView) =>
    board?.lastEventId === id
const countStreams = (server: FakeServer) =>
  server.requests.filter(({ path }) => path === routes.events).length

it('has one connection for all tabs, and the next one takes it over when its tab goes', async () => {
  const server = new FakeServer()
  let push: (text: string) => void = () => undefined
  const stream = (given: (text: string) => void) => {
    push = given
  }
  server.streams.push((given) => {
    stream(given)
    given('event: hello\ndata: {"id":4}\n\n')
  }, stream)
  const address = addressOfTest()
  const first = open(server, address)
  await first.until(isLive)
  const second = open(server, address)
  await second.until(isLive)
  push(change(5, 'told to all'))
  await Promise.all([first.until(isAt(5)), second.until(isAt(5))])
  expect(second.view?.board).toEqual(first.view?.board)
  expect(countStreams(server)).toBe(1)

  first.following.stop()
  await second.until(() => countStreams(server) === 2)
  push(change(6, 'after'))
  await second.until(isAt(6))
  const [, again] = server.requests.filter(({ path }) => path === routes.events)
  expect(again?.headers.get('last-event-id')).toBe('5')
})

it('tries again at once when any tab asks for it, and keeps the board that it knows', async () => {
  const server = new FakeServer()
  server.nodes = [{ id: 1, name: 'n1' }]
  server.streams.push((push, end) => {
    push('event: hello\ndata: {"id":4}\n\n')
    setTimeout(end, 0)
  })
  const address = addressOfTest()
  const first = open(server, address)
  // The server ends the stream and answers no more: the next attempt would be in a minute.
  await first.until(({ connection }) => connection.state === 'lost')
  const second = open(server, address)
  await second.until(({ connection }) => connection.state === 'lost')
  server.streams.push((push) => push(change(5, 'back')))
  second.following.retry()
  await Promise.all([first.until(isAt(5)), second.until(isAt(5))])
  for (const { views } of [first, second]) {
    const known = views.findIndex(({ board }) => board !== null)
    expect(views.slice(known).every(({ board }) => board?.nodes.size === 1)).toBe(true)
  }
})

it('does not share what another token may see', async () => {
  const server = new FakeServer()
  const hello = (push: (text: string) => void) => push('event: hello\ndata: {"id":4}\n\n')
  server.streams.push(hello, hello)
  const address = addressOfTest()
  const tabs = [open(server, address, 'one'), open(server, address, 'two')]
  await Promise.all(tabs.map((tab) => tab.until(isLive)))
  expect(countStreams(server)).toBe(2)
})
