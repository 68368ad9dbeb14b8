import type { Role, TokenScope } from '@community-lab/contract'

/** Something that a request does, and who may. */
export interface Right {
  /** The roles that may; `anybody`: also a request without a token. */
  readonly roles: readonly Role[] | 'anybody'
  /**
   * What the request is about, so that it is known whether it is the asker's own: the slice or sliver of `{id}` in its path, whose group must be the asker's
   * unless an operator asks; the node of `{id}`, which must be the asker itself. `unnamed`: the path does not tell, and the handler checks what it finds.
   */
  readonly object: 'none' | 'slice' | 'sliver' | 'node itself' | 'unnamed'
  /** Whether it needs a token that may change things. */
  readonly changes: boolean
}

const people: readonly Role[] = ['operator', 'researcher']
const operators: readonly Role[] = ['operator']
const nodes: readonly Role[] = ['node']

/**
 * Everything that can be done with a server: role by action by object. The name of a right completes "may not …" in a refusal. Each route names one in its
 * `config.right`, and the server does not start with a route that names none.
 */
export const rights = {
  'read the testbed': { roles: 'anybody', object: 'none', changes: false },
  'read samples': { roles: 'anybody', object: 'unnamed', changes: false },
  // With a one-time secret, and a proof of the node's key.
  'enrol a node': { roles: 'anybody', object: 'unnamed', changes: true },
  'ask who it is': { roles: [...people, ...nodes], object: 'none', changes: false },
  'read users': { roles: people, object: 'none', changes: false },
  'change its SSH keys': { roles: people, object: 'none', changes: true },
  'remove a user': { roles: operators, object: 'none', changes: true },
  'list tokens': { roles: operators, object: 'none', changes: false },
  'make a token': { roles: operators, object: 'none', changes: true },
  'void a token': { roles: operators, object: 'none', changes: true },
  'register a node': { roles: operators, object: 'none', changes: true },
  'change a node': { roles: operators, object: 'none', changes: true },
  'reboot a node': { roles: operators, object: 'none', changes: true },
  'revoke a node': { roles: operators, object: 'none', changes: true },
  'remove a node': { roles: operators, object: 'none', changes: true },
  'make an enrolment token': { roles: operators, object: 'none', changes: true },
  'read a node’s target': { roles: nodes, object: 'node itself', changes: false },
  'report a node’s state': { roles: nodes, object: 'node itself', changes: true },
  'open a node’s stream': { roles: nodes, object: 'node itself', changes: true },
  'make a slice': { roles: people, object: 'none', changes: true },
  'change a slice': { roles: people, object: 'slice', changes: true },
  'renew a slice': { roles: people, object: 'slice', changes: true },
  'reset a slice': { roles: people, object: 'slice', changes: true },
  'remove a slice': { roles: people, object: 'slice', changes: true },
  'add a sliver': { roles: people, object: 'unnamed', changes: true },
  'change a sliver': { roles: people, object: 'sliver', changes: true },
  'update a sliver': { roles: people, object: 'sliver', changes: true },
  'remove a sliver': { roles: people, object: 'sliver', changes: true },
  'open a sliver’s SSH port': { roles: people, object: 'sliver', changes: true },
  'make a template': { roles: operators, object: 'none', changes: true },
  'change a template': { roles: operators, object: 'none', changes: true },
  'upload a template’s image': { roles: operators, object: 'none', changes: true },
  'remove a template': { roles: operators, object: 'none', changes: true },
} as const satisfies Readonly<Record<string, Right>>

/** The name of a right. */
export type RightName = keyof typeof rights

/** Why a role with a scope may not do something; null: it may, as far as the object allows. */
export function findRefusal(name: RightName, role: Role, scope: TokenScope): string | null {
  const right: Right = rights[name]
  if (right.roles !== 'anybody' && !right.roles.includes(role))
    return `a token of role ${right.roles.join(' or ')}`
  return right.changes && scope === 'read' ? 'a token that may change things, not only read' : null
}
