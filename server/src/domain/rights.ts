/**
 * The relation of an asker to the object of a request. `operator`: the asker has an operator's token. The admins and the `member` are those of the group that
 * owns the object. A group admin has all rights of a node admin and of a slice admin, and each admin is a member. `person`: any user. `user itself`: the object
 * is the asker, or belongs to the asker.
 */
export type Party =
  | 'operator'
  | 'group admin'
  | 'node admin'
  | 'slice admin'
  | 'member'
  | 'user itself'
  | 'person'
  | 'node itself'
  | 'node'

/** Kinds of objects that the path of a request names by `{id}`. */
export type OwnedKind =
  'node' | 'slice' | 'sliver' | 'run' | 'group' | 'user' | 'token' | 'request' | 'host' | 'template'

/** An action of requests, and who may do it. */
export interface Right {
  /** Who may do it; `anybody`: also a request without a token. */
  readonly may: readonly Party[] | 'anybody'
  /** The object of the request. `unnamed`: the path does not name it, and the handler checks the object that it finds. */
  readonly object: OwnedKind | 'none' | 'unnamed'
  /** Whether the request needs a token that may change things. */
  readonly changes: boolean
}

const people = ['person'] as const
const operators = ['operator'] as const
const nodeAdmins = ['operator', 'group admin', 'node admin'] as const
const sliceAdmins = ['operator', 'group admin', 'slice admin'] as const
const groupAdmins = ['operator', 'group admin'] as const
const itself = ['node itself'] as const

/**
 * All actions on a server: who may do what to which object. The name of a right completes "may not …" in a refusal. Each route names one in its
 * `config.right`, whatever its verb, and the server does not start with a route that names none. Source: CONFINE's roles, but each right is checked in
 * the group that owns the object.
 */
export const rights = {
  'read the testbed': { may: 'anybody', object: 'none', changes: false },
  'read the server’s metrics': { may: operators, object: 'none', changes: false },
  // Samples that nodes measure of themselves are public. For samples of slices the handler checks the right below.
  'read samples': { may: 'anybody', object: 'unnamed', changes: false },
  'read a slice’s samples': { may: ['operator', 'member'], object: 'unnamed', changes: false },
  // With a one-time secret, and a proof that the node has its key.
  'enrol a node': { may: 'anybody', object: 'unnamed', changes: true },
  'ask who it is': { may: ['person', 'node'], object: 'none', changes: false },

  // With a password. The handler checks it.
  'log in': { may: 'anybody', object: 'none', changes: true },
  'log out': { may: 'anybody', object: 'none', changes: true },

  'read users': { may: people, object: 'none', changes: false },
  'read SSH keys': { may: ['operator', 'user itself'], object: 'unnamed', changes: false },
  'make a user': { may: operators, object: 'none', changes: true },
  'change a user': {
    may: ['operator', 'user itself'],
    object: 'user',
    changes: true,
  },
  // The handler also asks for the current password, except of an operator who changes another's.
  'change a password': { may: ['operator', 'user itself'], object: 'user', changes: true },
  'invite a user': { may: operators, object: 'user', changes: true },
  'name a user': { may: operators, object: 'none', changes: true },
  'disable a user': { may: operators, object: 'none', changes: true },
  'make an operator': { may: operators, object: 'none', changes: true },
  'remove a user': { may: operators, object: 'none', changes: true },
  'change its SSH keys': { may: people, object: 'none', changes: true },
  'take away another’s SSH key': { may: operators, object: 'none', changes: true },

  'list tokens': { may: people, object: 'none', changes: false },
  'list the tokens of others': { may: operators, object: 'none', changes: false },
  'make a token': {
    may: people,
    object: 'none',
    changes: true,
  },
  'make a token for another': { may: operators, object: 'none', changes: true },
  'make an operator’s token': { may: operators, object: 'none', changes: true },
  'revoke a token': { may: ['operator', 'user itself'], object: 'token', changes: true },

  'make a group': { may: people, object: 'none', changes: true },
  'change a group': {
    may: groupAdmins,
    object: 'group',
    changes: true,
  },
  'allow a group nodes': { may: operators, object: 'none', changes: true },
  'allow a group slices': { may: operators, object: 'none', changes: true },
  'set a group’s quotas': { may: operators, object: 'none', changes: true },
  'add a member who has not asked': { may: operators, object: 'none', changes: true },
  'accept an agreement': { may: groupAdmins, object: 'group', changes: true },
  'leave a group': { may: ['member'], object: 'group', changes: true },
  'remove a group': { may: groupAdmins, object: 'group', changes: true },
  'publish an agreement': { may: operators, object: 'none', changes: true },

  'list requests': { may: people, object: 'none', changes: false },
  'read all requests': { may: operators, object: 'none', changes: false },
  'read a request': {
    may: ['operator', 'group admin', 'user itself'],
    object: 'request',
    changes: false,
  },
  'ask for something': { may: people, object: 'unnamed', changes: true },
  'ask for nodes or slices': { may: groupAdmins, object: 'unnamed', changes: true },
  // Deciding a request for nodes or slices also needs the right to allow them.
  'decide a request': { may: groupAdmins, object: 'request', changes: true },
  'withdraw a request': {
    may: ['operator', 'group admin', 'user itself'],
    object: 'request',
    changes: true,
  },

  'register a server': { may: operators, object: 'none', changes: true },
  'change a server': { may: operators, object: 'none', changes: true },
  'remove a server': { may: operators, object: 'none', changes: true },
  'make an island': { may: operators, object: 'none', changes: true },
  'change an island': { may: operators, object: 'none', changes: true },
  'remove an island': { may: operators, object: 'none', changes: true },
  'register a host': { may: people, object: 'none', changes: true },
  'change a host': { may: ['operator', 'user itself'], object: 'host', changes: true },
  'give a host to another': { may: operators, object: 'none', changes: true },
  'remove a host': { may: ['operator', 'user itself'], object: 'host', changes: true },

  'register a node': { may: nodeAdmins, object: 'unnamed', changes: true },
  'change a node': { may: nodeAdmins, object: 'node', changes: true },
  'reboot a node': { may: nodeAdmins, object: 'node', changes: true },
  'revoke a node': { may: nodeAdmins, object: 'node', changes: true },
  'remove a node': { may: nodeAdmins, object: 'node', changes: true },
  'make an enrolment token': { may: nodeAdmins, object: 'node', changes: true },
  'read a node’s target': { may: itself, object: 'node', changes: false },
  'report a node’s state': { may: itself, object: 'node', changes: true },
  'open a node’s stream': { may: itself, object: 'node', changes: true },

  'make a slice': { may: sliceAdmins, object: 'unnamed', changes: true },
  'change a slice': { may: sliceAdmins, object: 'slice', changes: true },
  'renew a slice': { may: sliceAdmins, object: 'slice', changes: true },
  'reset a slice': { may: sliceAdmins, object: 'slice', changes: true },
  'remove a slice': { may: sliceAdmins, object: 'slice', changes: true },
  // Programs and their environments are a group's own, as its samples are.
  'list runs': { may: people, object: 'none', changes: false },
  'list a slice’s runs': { may: ['operator', 'member'], object: 'slice', changes: false },
  'read a run': { may: ['operator', 'member'], object: 'run', changes: false },
  'start a run': { may: sliceAdmins, object: 'slice', changes: true },
  'cancel a run': { may: sliceAdmins, object: 'run', changes: true },
  'add a sliver': { may: sliceAdmins, object: 'unnamed', changes: true },
  'change a sliver': { may: sliceAdmins, object: 'sliver', changes: true },
  'update a sliver': { may: sliceAdmins, object: 'sliver', changes: true },
  'remove a sliver': { may: sliceAdmins, object: 'sliver', changes: true },
  'open a sliver’s SSH port': { may: sliceAdmins, object: 'sliver', changes: true },

  // With a link from a mail. The handler checks it.
  unsubscribe: { may: 'anybody', object: 'unnamed', changes: true },
  'read whether mail is sent': { may: operators, object: 'none', changes: false },
  'send a test mail': { may: operators, object: 'none', changes: true },

  // Private code of a group. Nodes unpack it for their slivers; an owner of a node has its token.
  'upload data': { may: sliceAdmins, object: 'group', changes: true },
  'read uploads of data': { may: sliceAdmins, object: 'group', changes: false },
  'read data': { may: ['operator', 'member', 'node itself'], object: 'unnamed', changes: false },

  'read the audit trail': { may: operators, object: 'none', changes: false },

  // Other groups than CONFINE's operators make templates, too. A template without a group is the operators'.
  'make a template': { may: sliceAdmins, object: 'unnamed', changes: true },
  'change a template': { may: sliceAdmins, object: 'template', changes: true },
  'upload a template’s image': { may: sliceAdmins, object: 'template', changes: true },
  'read uploads to a template': { may: sliceAdmins, object: 'template', changes: false },
  'remove a template': { may: sliceAdmins, object: 'template', changes: true },
  'make a template public': { may: operators, object: 'none', changes: true },
  // For the image of a template that is not public. Nodes unpack it for their slivers; an owner of a node has its token.
  'read a template’s image': {
    may: ['operator', 'member', 'node itself'],
    object: 'unnamed',
    changes: false,
  },
} as const satisfies Readonly<Record<string, Right>>

/** The name of a right. */
export type RightName = keyof typeof rights

/** The members of a body that need a right of their own besides the right of the route, with every verb. */
export const memberRights: Readonly<
  Partial<Record<RightName, Readonly<Record<string, RightName>>>>
> = {
  'change a user': {
    name: 'name a user',
    is_active: 'disable a user',
    is_superuser: 'make an operator',
  },
  'change a group': {
    allow_nodes: 'allow a group nodes',
    allow_slices: 'allow a group slices',
    quotas: 'set a group’s quotas',
  },
  'make a template': { is_public: 'make a template public' },
  'change a template': { is_public: 'make a template public' },
  'change a host': { owner: 'give a host to another' },
  'make a token': { user: 'make a token for another' },
}

/** Describe who may, in words: "a group admin or node admin of group red, or an operator". `group` is the name of the object's group, if it is known. */
export function describeParties({ may }: Right, group: string | null): string {
  if (may === 'anybody') return 'anybody'
  const ofGroup = may.filter((party) => groupParties.has(party))
  const named = group === null ? 'of the group that it belongs to' : `of group ${group}`
  const others = (['user itself', 'node itself', 'person', 'node', 'operator'] as const).filter(
    (party) => may.includes(party),
  )
  return [
    ...(ofGroup.length === 0 ? [] : [`a ${ofGroup.join(' or ')} ${named}`]),
    ...others.map((party) => partyNames[party]),
  ].join(', or ')
}

const groupParties: ReadonlySet<Party> = new Set([
  'group admin',
  'node admin',
  'slice admin',
  'member',
])
const partyNames = {
  'user itself': 'the user whom it belongs to',
  'node itself': 'the node itself',
  person: 'a user',
  node: 'a node',
  operator: 'an operator',
} as const
