import {
  vctClockPath,
  VctStatus,
  type VctClock,
  type VctLinkAction,
  type VctNodeAction,
  type VctServerAction,
} from '@community-lab/contract'
import { createServerClient } from '../bootstrap/server-client.ts'

/** The control client of a running virtual testbed. Each call answers with the status after it. */
export interface ControlClient {
  status(signal?: AbortSignal): Promise<VctStatus>
  node(name: string, action: VctNodeAction, signal?: AbortSignal): Promise<VctStatus>
  setClock(name: string, clock: VctClock, signal?: AbortSignal): Promise<VctStatus>
  link(a: string, b: string, action: VctLinkAction, signal?: AbortSignal): Promise<VctStatus>
  server(action: VctServerAction, signal?: AbortSignal): Promise<VctStatus>
  stop(signal?: AbortSignal): Promise<VctStatus>
}

const timeoutMs = 60_000

/**
 * Create a client of the control socket of a virtual testbed.
 *
 * Its calls throw LabError: LAB_CONNECTION_FAILED when no testbed runs, LAB_VCT_UNKNOWN for an unknown node or link, LAB_NOT_FOUND for an unknown action,
 * LAB_VCT_NODE_OFF.
 */
export function createControlClient(socket: string): ControlClient {
  const client = createServerClient(socket)
  const ask = (method: 'GET' | 'POST', path: string, signal?: AbortSignal) =>
    client.ask(VctStatus, path, { method, signal: signal ?? AbortSignal.timeout(timeoutMs) })
  const post = (parts: readonly string[], signal?: AbortSignal) =>
    ask('POST', `/${parts.map(encodeURIComponent).join('/')}`, signal)
  return {
    status: (signal) => ask('GET', '/status', signal),
    node: (name, action, signal) => post(['nodes', name, action], signal),
    setClock: (name, clock, signal) => ask('POST', vctClockPath(name, clock), signal),
    link: (a, b, action, signal) => post(['links', a, b, action], signal),
    server: (action, signal) => post(['server', action], signal),
    stop: (signal) => post(['stop'], signal),
  }
}
