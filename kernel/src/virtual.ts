import {
  LabError,
  VctStatus,
  type VctNodeAction,
  type VctServerAction,
} from '@community-lab/contract'
import { createHttpClient, type HttpClient } from './http/client.ts'
import type { Session } from './session.ts'

/** A virtual testbed as it is. */
export interface VirtualStatus {
  readonly state: 'starting' | 'running' | 'stopping'
  readonly nodes: readonly VirtualNode[]
  readonly links: readonly VirtualLink[]
  /** What this machine cannot do, a sentence each. */
  readonly lacks: readonly string[]
}

/** A virtual node. */
export interface VirtualNode {
  readonly name: string
  readonly power: 'on' | 'off'
  readonly links: 'up' | 'cut'
  readonly community_addr: string
}

/** A link of the virtual community network. */
export interface VirtualLink {
  readonly a: string
  readonly b: string
  readonly rate_mbps: number
  /** One way. */
  readonly delay_ms: number
  readonly loss_pct: number
  readonly state: 'up' | 'cut'
}

/** Actions are answered when they are done; bringing a node up takes some seconds. */
const timeoutMs = 60_000

/** The virtual testbed on this machine: its links and nodes can be broken and mended. Each action answers when it is done. */
export class VirtualTestbed {
  readonly #control: HttpClient

  /** @throws {@link LabError} LAB_NOT_VIRTUAL. */
  constructor(session: Session) {
    const { vct_socket: socketPath, url } = session.credentials
    if (socketPath === undefined) throw new LabError('LAB_NOT_VIRTUAL', { url })
    const { signal } = session
    this.#control = createHttpClient({ url: 'http://vct', token: null, socketPath, signal })
    session.onClose(() => this.#control.close())
  }

  /** How its nodes and links are. */
  status(): Promise<VirtualStatus> {
    return this.#control.ask(VctStatus, '/status')
  }

  /** Take a link down: nothing passes it any more. @throws {@link LabError} LAB_VCT_UNKNOWN when there is no such link. */
  cutLink(a: string, b: string): Promise<void> {
    return this.#act('links', a, b, 'cut')
  }

  /** Bring a link back. @throws {@link LabError} LAB_VCT_UNKNOWN when there is no such link. */
  restoreLink(a: string, b: string): Promise<void> {
    return this.#act('links', a, b, 'restore')
  }

  /**
   * Do something to a node: `stop` powers it off, `cut` takes all its links down, `start` undoes both, `reboot` ends everything on it and brings it back, `kill-agent` kills its agent, which comes back.
   *
   * @throws {@link LabError} LAB_VCT_UNKNOWN when there is no such node.
   */
  node(name: string, action: VctNodeAction): Promise<void> {
    return this.#act('nodes', name, action)
  }

  /** Kill, stop or start the testbed's server. */
  server(action: VctServerAction): Promise<void> {
    return this.#act('server', action)
  }

  async #act(...parts: readonly string[]): Promise<void> {
    const path = `/${parts.map(encodeURIComponent).join('/')}`
    await this.#control.tell(path, { method: 'POST', timeoutMs })
  }
}
