import { once } from 'node:events'
import { Agent, request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { acceptOf, path, routes } from '@community-lab/contract'
import type { FloodAsk, FloodTold } from './flood.ts'

// Strangers in a process of their own: see flood.ts for what it is asked and what it tells.

const addresses = 20
/** The requests of each address at the same time. */
const atOnce = 4
/** The lists and pasts that cost the server most. */
const dearest = [
  routes.slivers,
  routes.nodes,
  routes.slices,
  `${routes.nodes}?room={}`,
  `${path(routes.nodeAvailability, { id: 1 })}?from=2020-01-01T00:00:00Z`,
]
const counts = new Map<number, number>()

/** Ask as fast as answers come, one request after the other. Odd ones ask as CONFINE's clients do, who get other texts. */
async function ask(port: number, agent: Agent, first: number): Promise<void> {
  for (let nr = first; ; nr++) {
    const accept = nr % 2 === 0 ? acceptOf() : 'application/json'
    const asked = { host: '127.0.0.1', port, agent, headers: { accept } }
    const call = request({ ...asked, path: dearest[nr % dearest.length] })
    call.end()
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    const { statusCode: status = 0 } = response
    response.resume()
    await once(response, 'end')
    counts.set(status, (counts.get(status) ?? 0) + 1)
  }
}

process.on('disconnect', () => process.exit(1))
process.on('message', (message: FloodAsk) => {
  const { port } = message
  for (let address = 1; address <= addresses; address++) {
    // The server counts requests by address. Its certificate is pinned by nodes, and nobody's business here.
    const options = { localAddress: `127.0.1.${address}`, rejectUnauthorized: false }
    const agent = new Agent({ ...options, keepAlive: true, maxSockets: atOnce })
    for (let one = 0; one < atOnce; one++)
      ask(port, agent, address + one).catch((error: unknown) => {
        throw error
      })
  }
  setInterval(() => process.send?.([...counts] satisfies FloodTold), 100)
})
