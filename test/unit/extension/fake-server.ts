import { routes } from '@community-lab/contract'

/** A server in memory: what each stream says, and the requests it saw. */
export class FakeServer {
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

/** A change of node 1's name, as the server sends it. */
export const change = (id: number, name: string) =>
  `id: ${id}\nevent: change\ndata: ${JSON.stringify({ id, time: '2026-01-01T00:00:00Z', kind: 'node', action: 'updated', object_id: '1', object: { id: 1, name } })}\n\n`
