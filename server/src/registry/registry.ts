import type {
  Incident,
  Look,
  Node,
  NodeReport,
  NodeTarget,
  Seen,
  Sliver,
} from '@community-lab/contract'

/** A host of the management network as tinc must know it. */
export interface TincHost {
  /** tinc's name for it: `node_<id>`. */
  readonly name: string
  /** RSA public key, PKCS #1 PEM. */
  readonly pubkey: string
  /** What it owns, `address/length`. */
  readonly subnets: readonly string[]
}

/**
 * What the other parts of the server (telemetry, tunnel, management network) may ask of the registry. `app.registry` holds it.
 * Reads are of committed state; they never wait for a node.
 */
export interface Registry {
  node(id: number): Promise<Node | null>
  sliver(id: string): Promise<Sliver | null>
  /** The group that owns a slice, or owned it before it was deleted; null when there never was one. */
  sliceGroup(sliceId: number): Promise<number | null>
  /** Every enrolled, unrevoked node as a tinc host, or those of some nodes. */
  tincHosts(nodeIds?: readonly number[]): Promise<readonly TincHost[]>
  /** Call back when the target of a node may have changed. Returns the unsubscriber. */
  onTargetChanged(listener: (nodeId: number) => void): () => void
  /** Call back after hosts were added, changed or revoked, with their nodes. Returns the unsubscriber. */
  onTincHostsChanged(listener: (nodeIds: readonly number[]) => void): () => void
  /** Answer a node's poll: whether the target that it has is current, and whether the server has its last report. Makes no query if nothing has changed. */
  look(nodeId: number, has: Omit<Look, 'type'>): Promise<Omit<Seen, 'type'>>
  /** The target of a node; null when its ETag is one of those in `known`. Makes no query for that if nothing has changed. */
  target(nodeId: number, known: string | null): Promise<NodeTarget | null>
  /** Store a node's report. Returns its ETag. */
  takeReport(nodeId: number, report: NodeReport): Promise<string>
  /** Note that a node was heard of, or (`connected` false) that its connection has gone. */
  noteContact(nodeId: number, connected: boolean): Promise<void>
  /** Publish something that an operator should look at. */
  reportIncident(incident: Incident): Promise<void>
}
