import { inspect } from 'node:util'
import type { SshKey } from './credentials/ssh-key.ts'
import { HealthSamples, type HealthOptions } from './run/health.ts'
import { Runs } from './run/runs.ts'
import type { Session } from './session.ts'
import { Groups } from './sliver/groups.ts'
import { Nodes } from './sliver/node.ts'
import { Slices } from './sliver/slices.ts'
import { VirtualTestbed } from './virtual.ts'

/** A testbed, as its user sees it. */
export class Lab {
  readonly nodes: Nodes
  readonly slices: Slices
  readonly groups: Groups
  readonly runs: Runs
  /** The address of the server. */
  readonly url: string
  /** The path of your private SSH key, which your slivers accept, for other SSH clients. */
  readonly sshKeyPath: string
  readonly #session: Session
  #virtual: VirtualTestbed | null = null

  constructor(session: Session, key: SshKey) {
    this.#session = session
    this.nodes = new Nodes(session)
    this.slices = new Slices(session)
    this.groups = new Groups(session)
    this.runs = new Runs(session)
    this.url = session.credentials.url
    this.sshKeyPath = key.path
  }

  /** What the nodes measure of themselves. Default: from one hour ago on. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
  health(options: HealthOptions = {}): Promise<HealthSamples> {
    return Promise.resolve(options).then((given) => new HealthSamples(this.#session, given))
  }

  /** The virtual testbed on this machine. @throws {@link LabError} LAB_NOT_VIRTUAL when this testbed is not virtual. */
  virtual(): VirtualTestbed {
    this.#virtual ??= new VirtualTestbed(this.#session)
    return this.#virtual
  }

  /** Close all connections. Slivers and runs go on. */
  close(): Promise<void> {
    return this.#session.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [inspect.custom](): string {
    return `Lab ${this.url}`
  }
}
