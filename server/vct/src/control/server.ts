import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { chmod, rm } from 'node:fs/promises'
import { once } from 'node:events'
import {
  LabError,
  maxClockAheadS,
  maxClockDriftPpm,
  toProblem,
  vctLinkActions,
  vctNodeActions,
  VctClock,
  vctServerActions,
  type VctLinkAction,
  type VctNodeAction,
  type VctServerAction,
  type VctStatus,
} from '@community-lab/contract'
import { Value } from 'typebox/value'

/** The operations of the control socket. */
export interface Controlled {
  status(): VctStatus
  node(name: string, action: VctNodeAction): Promise<void>
  setClock(name: string, clock: VctClock): Promise<void>
  link(a: string, b: string, action: VctLinkAction): Promise<void>
  server(action: VctServerAction): Promise<void>
  /** Request the end of the testbed. Settles at once. */
  stop(): void
}

/** The control socket while it is served. */
export interface ControlServer {
  close(): Promise<void>
}

/** Serve the control socket, for its owner only. Actions answer with the status after them. */
export async function serveControl(socket: string, controlled: Controlled): Promise<ControlServer> {
  await rm(socket, { force: true })
  const server = createServer((request, response) => {
    answer(request, controlled).then(
      (status) => send(response, 200, 'application/json', status),
      (error: unknown) => {
        const problem = toProblem(
          LabError.is(error) ? error : new LabError('LAB_INTERNAL', { what: String(error) }),
        )
        send(response, problem.status, 'application/problem+json', problem)
      },
    )
  })
  server.listen(socket)
  await once(server, 'listening')
  await chmod(socket, 0o600)
  return {
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function answer(request: IncomingMessage, controlled: Controlled): Promise<VctStatus> {
  request.resume()
  const { method = '', url = '' } = request
  const [kind, ...rest] = url.split('/').filter((part) => part !== '')
  const [one = '', two = '', three = '', four = ''] = rest.map(decodeURIComponent)
  if (method === 'GET' && kind === 'status' && rest.length === 0) return controlled.status()
  if (method !== 'POST') throw new LabError('LAB_NOT_FOUND', { kind: 'action', id: url })
  if (kind === 'nodes' && rest.length === 2) await controlled.node(one, choose(vctNodeActions, two))
  else if (kind === 'nodes' && rest.length === 4 && two === 'clock')
    await controlled.setClock(one, readClock(three, four))
  else if (kind === 'links' && rest.length === 3)
    await controlled.link(one, two, choose(vctLinkActions, three))
  else if (kind === 'server' && rest.length === 1)
    await controlled.server(choose(vctServerActions, one))
  else if (kind === 'stop' && rest.length === 0) controlled.stop()
  else throw new LabError('LAB_NOT_FOUND', { kind: 'action', id: url })
  return controlled.status()
}

function readClock(aheadS: string, driftPpm: string): VctClock {
  const clock = { ahead_s: Number(aheadS), drift_ppm: Number(driftPpm) }
  if (aheadS !== '' && driftPpm !== '' && Value.Check(VctClock, clock)) return clock
  const problem = `a clock is up to ${maxClockAheadS} s ahead or behind, and drifts by up to ${maxClockDriftPpm} ppm, not ${aheadS} s and ${driftPpm} ppm`
  throw new LabError('LAB_VCT_USAGE', { problem })
}

function choose<T extends string>(actions: readonly T[], found: string): T {
  const action = actions.find((one) => one === found)
  if (action === undefined)
    throw new LabError('LAB_NOT_FOUND', { kind: `action (${actions.join(', ')})`, id: found })
  return action
}

function send(response: ServerResponse, status: number, type: string, document: object): void {
  response.writeHead(status, { 'content-type': type })
  response.end(`${JSON.stringify(document)}\n`)
}
