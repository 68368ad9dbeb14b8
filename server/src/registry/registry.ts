import type {
  Incident,
  Look,
  Node,
  NodeReport,
  NodeTarget,
  Seen,
  Sliver,
} from '@community-lab/contract'
import type { GroupContact } from './read/group-contact.ts'

/** A machine of the management network, as tinc needs it. */
export interface TincHost {
  /** Its name in tinc: `node_<id>`, `host_<id>` or `server_<id>`. */
  readonly name: string
  /** RSA public key, PKCS #1 PEM. */
  readonly pubkey: string
  /** Its subnets, `address/length`. */
  readonly subnets: readonly string[]
}

/**
 * The registry, as the other parts of the server (telemetry, tunnel, management network) use it. `app.registry` holds it.
 *
 * Reads return committed state, and never wait for a node.
 */
export interface Registry {
  node(id: number): Promise<Node | null>
  sliver(id: string): Promise<Sliver | null>
  /** Whom to ask for something in a group; null when there is no such group. */
  groupContact(groupId: number | null): Promise<GroupContact | null>
  /** Return the group that owns a slice, or owned it before it was removed; null when there never was such a slice. */
  sliceGroup(sliceId: number): Promise<number | null>
  /**
   * List the machines that may join the management network, or those with some names: enrolled nodes, hosts of active users, other servers. Revoked nodes are not
   * among them.
   */
  tincHosts(names?: readonly string[]): Promise<readonly TincHost[]>
  /** Call back when the target of a node may have changed. Returns the unsubscriber. */
  onTargetChanged(listener: (nodeId: number) => void): () => void
  /** Call back after machines of the management network were added, changed or revoked, with their names in tinc. Returns a function that ends this. */
  onTincHostsChanged(listener: (names: readonly string[]) => void): () => void
  /** Answer a node's poll: whether the target that it has is current, and whether the server has its last report. Makes no query if nothing has changed. */
  poll(nodeId: number, has: Omit<Look, 'type'>): Promise<Omit<Seen, 'type'>>
  /** The target of a node; null when its ETag is one of those in `known`. Makes no query for that if nothing has changed. */
  target(nodeId: number, known: string | null): Promise<NodeTarget | null>
  /** Store a node's report. Returns its ETag. */
  takeReport(nodeId: number, report: NodeReport): Promise<string>
  /** Note contact of a node, or (`connected` false) the end of its connection. */
  noteContact(nodeId: number, connected: boolean): Promise<void>
  /** Publish something that an operator should look at. */
  reportIncident(incident: Incident): Promise<void>
}
