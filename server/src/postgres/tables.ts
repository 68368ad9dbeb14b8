import type { ColumnType, Generated, GeneratedAlways, JSONColumnType } from 'kysely'
import type {
  Arch,
  AuditEntry,
  ChangeEvent,
  CommunityEntry,
  GroupRequest,
  Lends,
  NodeReport,
  NodeSetState,
  NodeState,
  Properties,
  Quotas,
  ResourceRequest,
  Role,
  RunReport,
  ServerApi,
  SliceSetState,
  SliverReport,
  SliverState,
  TokenKind,
  TokenScope,
} from '@community-lab/contract'
import type { Readiness } from '../domain/readiness.ts'
import type { MailTable, NotifiedTable } from './mail-tables.ts'
import type { RunPartTable, RunTable } from './run-tables.ts'

// JSON columns are written as text. Otherwise pg would convert arrays to PostgreSQL's arrays.
type Json<T extends object> = JSONColumnType<T>
type NullableJson<T extends object> = ColumnType<T | null, string | null | undefined, string | null>

/** The tables of the registry, one member each. Times are `timestamptz`. */
export interface Tables {
  readonly groups: GroupTable
  readonly users: UserTable
  readonly group_roles: GroupRoleTable
  readonly agreements: AgreementTable
  readonly requests: RequestTable
  readonly tokens: TokenTable
  readonly nodes: NodeTable
  readonly enrollments: EnrollmentTable
  readonly islands: IslandTable
  readonly servers: ServerTable
  readonly hosts: HostTable
  readonly templates: TemplateTable
  readonly data_archives: DataArchiveTable
  readonly template_versions: TemplateVersionTable
  readonly broken_images: BrokenImageTable
  readonly slices: SliceTable
  readonly slice_owners: SliceOwnerTable
  readonly slivers: SliverTable
  readonly runs: RunTable
  readonly run_parts: RunPartTable
  readonly events: EventTable
  readonly counters: CounterTable
  readonly invitations: InvitationTable
  readonly mails: MailTable
  readonly notified: NotifiedTable
  readonly audit: AuditTable
  readonly server_runs: ServerRunTable
  readonly node_states: NodeStateTable
  readonly sliver_states: SliverStateTable
  readonly journal: JournalTable
}

export interface GroupTable {
  id: Generated<number>
  name: string
  description: string
  allow_nodes: Generated<boolean>
  allow_slices: Generated<boolean>
  agreement_version: number | null
  agreement_accepted_on: Date | null
  /** The quotas that operators have set. The others are the testbed's defaults. */
  quotas: ColumnType<Partial<Quotas>, string | undefined, string>
}

export interface UserTable {
  id: Generated<number>
  name: string
  description: Generated<string>
  is_active: Generated<boolean>
  is_superuser: Generated<boolean>
  date_joined: Generated<Date>
  auth_tokens: string[]
  email: string | null
  /** The hash of the password, as `access/password.ts` writes it; null: the user has none. */
  password: string | null
  /** The kinds of notifications that the user does not get. */
  muted: Generated<string[]>
  /** From it the proofs in links are derived that end notifications. */
  unsubscribe_key: string | null
  /** The day of the last digest, as `domain/notification.ts` counts it. */
  digest_day: number | null
}

/** The members of groups. */
export interface GroupRoleTable {
  group_id: number
  user_id: number
  is_group_admin: boolean
  is_node_admin: boolean
  is_slice_admin: boolean
}

/** Versions of the testbed's agreement. */
export interface AgreementTable {
  version: number
  text: string
  published_on: Generated<Date>
}

/** Requests of users to group admins and operators. */
export interface RequestTable {
  id: Generated<number>
  kind: GroupRequest['kind']
  group_id: number
  user_id: number
  message: string
  state: Generated<GroupRequest['state']>
  created_on: Generated<Date>
  decided_on: Date | null
  decided_by: number | null
}

/** Only the SHA-256 of a secret is stored. */
export interface TokenTable {
  id: Generated<number>
  name: string
  role: Role
  scope: Generated<TokenScope>
  user_id: number | null
  node_id: number | null
  secret_sha256: Buffer
  created_on: Generated<Date>
  expires_on: Date | null
  last_used_on: Date | null
  kind: Generated<TokenKind>
  /** The address that logged in. For IPv6 it is the /64; `socket`: a program of the server's machine. */
  made_from: string | null
  /** It ends when it was not used for this time, in seconds; null: it does not. */
  idle_s: number | null
}

export interface NodeTable {
  id: Generated<number>
  name: string
  description: string
  group_id: number
  arch: Arch
  properties: Json<Properties>
  set_state: NodeSetState
  boot_sn: Generated<number>
  /** The limits that the owner has set. */
  lends: ColumnType<Partial<Lends>, string | undefined, string>
  readiness: ColumnType<Readiness, string | undefined, string>
  tinc_pubkey: string | null
  island_id: number | null
  cn: NullableJson<CommunityEntry>
  state: NodeState
  /** Why it is in this state; null: nobody has told. */
  state_reason: string | null
  state_changed_on: Date | null
  last_seen_on: Date | null
  /** The last contact before a time of which the node has told nothing yet; null: it has told everything. */
  unheard_since: Date | null
  /** The last report of the node, without its slivers and their runs. */
  report: NullableJson<Omit<NodeReport, 'slivers' | 'runs'>>
  /** The runs in that report; null: its agent knows of no runs. */
  run_reports: NullableJson<RunReport[]>
}

export interface EnrollmentTable {
  node_id: number
  secret_sha256: Buffer
  expires_on: Date
  /** The key that used the secret. Only the same key may use it again. */
  used_pubkey: string | null
  /** Who made it; null: it is from a server that did not keep this. */
  user_id: number | null
}

/** Parts of the community network. */
export interface IslandTable {
  id: Generated<number>
  name: string
  description: string
}

/** The servers of the testbed. The one with id 2 is the server that answers. */
export interface ServerTable {
  id: Generated<number>
  name: string
  description: string
  properties: Json<Properties>
  island_id: number | null
  api: Json<ServerApi[]>
  tinc_pubkey: string | null
  tinc_addresses: Json<{ readonly addr: string; readonly port: number }[]>
  cn: NullableJson<CommunityEntry>
}

/** Machines of users in the management network. */
export interface HostTable {
  id: Generated<number>
  name: string
  description: string
  owner_id: number
  island_id: number | null
  tinc_pubkey: string | null
}

export interface TemplateTable {
  id: Generated<number>
  name: string
  description: string
  type: 'debian' | 'openwrt'
  node_archs: Arch[]
  is_active: boolean
  /** The group that looks after it; null: the operators. */
  group_id: number | null
  /** Whether one of its versions is public. Without versions: whether the first one that an operator uploads will be. */
  is_public: Generated<boolean>
  /** The number of its latest version, also when that was removed; 0: it had none. */
  last_version: Generated<number>
}

/** The images of templates. A row's image never changes. */
export interface TemplateVersionTable {
  template_id: number
  version: number
  image_sha256: string
  image_size_bytes: number
  is_public: boolean
  created_on: GeneratedAlways<Date>
  /** Whether a sliver of it has ever started. */
  has_run: Generated<boolean>
}

/** The nodes that could not unpack the image of a version. */
export interface BrokenImageTable {
  template_id: number
  version: number
  node_id: number
  message: string
  reported_on: Generated<Date>
}

/** The data archives that groups have uploaded. The files are named by their SHA-256, so groups with the same content share one. */
export interface DataArchiveTable {
  group_id: number
  sha256: string
  size_bytes: number
  /** When a slice or sliver last named it, or it was uploaded. While one names it, at most an hour ago. */
  named_on: Generated<Date>
}

export interface SliceTable {
  id: Generated<number>
  /** The last warning of its end, as the number of days before it; null: none. */
  warned_days: number | null
  warned_on: Date | null
  name: string
  description: string
  group_id: number
  expires_on: Date
  instance_sn: Generated<number>
  properties: Json<Properties>
  set_state: SliceSetState
  default_instance_sn: Generated<number>
  default_template_id: number | null
  /** null: the template had no image when it was chosen. */
  default_template_version: number | null
  default_set_state: SliceSetState
  default_resources: Json<ResourceRequest[]>
  /** The data archive of slivers that have none of their own. */
  default_data_sha256: string | null
}

/** The group that owns, or owned, each slice. Rows stay after a slice was removed, because its samples stay. */
export interface SliceOwnerTable {
  slice_id: number
  group_id: number
}

export interface SliverTable {
  slice_id: number
  node_id: number
  description: string
  set_state: SliceSetState | null
  instance_sn: Generated<number>
  properties: Json<Properties>
  /** All resources that the sliver was promised. */
  resources: Json<ResourceRequest[]>
  /** Its own data archive; null: that of its slice. */
  data_sha256: string | null
  /** Whether its data, of its own or of its slice, was changed since it was made. */
  data_changed: Generated<boolean>
  state: SliverState
  state_reason: string | null
  state_changed_on: Date | null
  report: NullableJson<SliverReport>
}

export interface EventTable {
  id: number
  time: Generated<Date>
  kind: ChangeEvent['kind']
  action: ChangeEvent['action']
  object_id: string
  object: NullableJson<object>
  /** Whom the event is for: those who may read an object of this group and user; null: its kind says it. */
  owner: NullableJson<{ readonly groupId: number; readonly userId: number | null }>
}

/** The audit trail: who changed what. Rows are only added. */
export interface AuditTable {
  id: GeneratedAlways<number>
  time: GeneratedAlways<Date>
  user_id: number | null
  user_name: string | null
  token_id: number | null
  token_name: string | null
  role: Role | null
  address: string | null
  right: string
  kind: AuditEntry['kind']
  action: AuditEntry['action']
  object_id: string
  object_name: string | null
  count: Generated<number>
}

/** The times at which a server was running. The row of a running server is brought up to date repeatedly. */
export interface ServerRunTable {
  id: GeneratedAlways<number>
  began_on: Date
  up_until: Date
}

/** An interval in which a node was in one state; `ended_on` null: it still is. Only triggers write it. */
export interface NodeStateTable {
  id: GeneratedAlways<number>
  node_id: GeneratedAlways<number>
  state: GeneratedAlways<NodeState>
  reason: GeneratedAlways<string | null>
  began_on: GeneratedAlways<Date>
  ended_on: GeneratedAlways<Date | null>
}

/** An interval in which a sliver was in one state, as {@link NodeStateTable}. It stays when the sliver is removed, until its slice or node is. */
export interface SliverStateTable {
  id: GeneratedAlways<number>
  slice_id: GeneratedAlways<number>
  node_id: GeneratedAlways<number>
  state: GeneratedAlways<SliverState>
  reason: GeneratedAlways<string | null>
  began_on: GeneratedAlways<Date>
  ended_on: GeneratedAlways<Date | null>
}

/** The lives of slivers. Only triggers write it. */
export interface JournalTable {
  id: GeneratedAlways<number>
  slice_id: GeneratedAlways<number>
  slice_name: GeneratedAlways<string>
  group_id: GeneratedAlways<number>
  group_name: GeneratedAlways<string>
  node_id: GeneratedAlways<number>
  node_name: GeneratedAlways<string>
  began_on: GeneratedAlways<Date>
  ended_on: GeneratedAlways<Date | null>
  /** When it started by the clock of its node, RFC 3339. */
  started_on: GeneratedAlways<string | null>
}

/** The one-time secrets by which users set a password. Only the SHA-256 of a secret is stored. */
export interface InvitationTable {
  id: GeneratedAlways<number>
  user_id: number
  /** Whether an operator has made it, the user has asked for it, or it confirms an e-mail address. */
  kind: Generated<'invitation' | 'reset' | 'address'>
  /** The address that it confirms. */
  email: string | null
  secret_sha256: Buffer
  expires_on: Date
}

export interface CounterTable {
  name: string
  value: number
}
