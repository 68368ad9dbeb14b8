import type { Capabilities } from '@community-lab/contract'

/** How far the server's clock is ahead of the machine's, in milliseconds. */
export const serverAheadMs = 3_600_000

/** What the agent of a test is told when it starts. */
export interface AgentSettings {
  readonly dataDir: string
  readonly runtime: 'auto' | 'crun' | 'runc'
  readonly cgroupParent: string
  readonly mgmtPrefix: string
  readonly publicPrefix: string
  /** What the MAC addresses of slivers begin with. */
  readonly sliverMacPrefix: number
  /** What slivers together may take of the network in each direction, in Mbit/s; null: as much as there is. */
  readonly lendsMbps: number | null
}

/** A call of one of its slivers' methods, or of `samples`. */
export interface Call {
  readonly nr: number
  readonly name: CallName
  readonly args: readonly unknown[]
}
export type CallName =
  | 'allocate'
  | 'check'
  | 'deploy'
  | 'lend'
  | 'start'
  | 'authorize'
  | 'stop'
  | 'undeploy'
  | 'remove'
  | 'list'
  | 'unreadable'
  | 'problems'
  | 'aim'
  | 'runs'
  | 'samples'

/** What it says. */
export type Answer =
  | { readonly kind: 'ready'; readonly pid: number; readonly capabilities: Capabilities }
  | { readonly kind: 'answer'; readonly nr: number; readonly value: unknown }
  | ({ readonly kind: 'failure'; readonly nr: number } & Failure)
  | { readonly kind: 'ended'; readonly id: string }
  | { readonly kind: 'finding'; readonly message: string }
  | { readonly kind: 'problem'; readonly id: string; readonly message: string }

/** How a call failed. */
export interface Failure {
  readonly code: string
  readonly member: string
  readonly message: string
}
