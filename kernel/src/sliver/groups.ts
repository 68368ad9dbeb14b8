import { inspect } from 'node:util'
import {
  Group as GroupSchema,
  LabError,
  routes,
  WhoAmI,
  type Quotas,
} from '@community-lab/contract'
import Type from 'typebox'
import { checkArgument, checkSignal, words } from '../argument.ts'
import { asTable, type Column, type Shown } from '../display/table.ts'
import type { Session } from '../session.ts'
import { call } from '../wait/call.ts'
import type { CallSignal } from './slice.ts'

/** What a member may do in a group. A researcher reads what the group's slices measure. A group admin may do all. */
export type GroupRole = 'group admin' | 'node admin' | 'slice admin' | 'researcher'

/** A group of people, which owns nodes and slices. A snapshot of when it was read. */
export interface Group {
  readonly id: number
  readonly name: string
  readonly description: string
  /** Whether its nodes may be in production. */
  readonly allowsNodes: boolean
  /** Whether it may make slices and start them. */
  readonly allowsSlices: boolean
  /** The numbers of its members, nodes and slices. */
  readonly members: number
  readonly nodes: number
  readonly slices: number
  /** The most that its slices may take together. Operators set it. */
  readonly quotas: GroupQuotas
  /** What its slices take of it now. */
  readonly usage: GroupQuotas
  /** What you may do in it; empty when you are not a member. */
  readonly myRoles: readonly GroupRole[]
}

/** Amounts of what the slices of a group take together. */
export interface GroupQuotas {
  readonly slices: number
  readonly slivers: number
  readonly memoryMiB: number
  readonly diskMiB: number
}

/** The groups of the testbed. */
export class Groups {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  /** List all groups, in the order of their ids. */
  async list(options: CallSignal = {}): Promise<Shown<Group>> {
    checkSignal('list', options)
    return asTable(await this.#read(options, {}), () => columns)
  }

  /**
   * List the groups that you are a member of.
   *
   * @example
   * const [group] = await lab.groups.mine()
   * const slice = await lab.slices.ensure('hello', { template: 'tiny', nodes: ['n1'], group: group.name })
   */
  async mine(options: CallSignal = {}): Promise<Shown<Group>> {
    checkSignal('mine', options)
    const all = await this.#read(options, {})
    return asTable(
      all.filter(({ myRoles }) => myRoles.length > 0),
      () => columns,
    )
  }

  /** Get the group of a name. @throws {@link LabError} LAB_NOT_FOUND. */
  async get(name: string, options: CallSignal = {}): Promise<Group> {
    checkArgument('the name of the group', name, words)
    checkSignal('get', options)
    const [group] = await this.#read(options, { '/name': JSON.stringify(name) })
    if (group === undefined) throw new LabError('LAB_NOT_FOUND', { kind: 'group', id: name })
    return group
  }

  #read({ signal }: CallSignal, query: Record<string, string>): Promise<Group[]> {
    const { http, signal: lab } = this.#session
    return call({ lab, signal }, async (aborted) => {
      const [groups, { user }] = await Promise.all([
        http.ask(Type.Array(GroupSchema), routes.groups, { query, signal: aborted }),
        http.ask(WhoAmI, routes.whoami, { signal: aborted }),
      ])
      const inOrder = groups.sort((one, other) => one.id - other.id)
      return inOrder.map((group) => readGroup(group, user?.id ?? null))
    })
  }
}

function readGroup(group: GroupSchema, userId: number | null): Group {
  const mine = group.user_roles.find(({ user }) => user.id === userId)
  const handle: Group = {
    id: group.id,
    name: group.name,
    description: group.description,
    allowsNodes: group.allow_nodes,
    allowsSlices: group.allow_slices,
    members: group.user_roles.length,
    nodes: group.nodes.length,
    slices: group.slices.length,
    quotas: readQuotas(group.quotas),
    usage: readQuotas(group.usage),
    myRoles: mine === undefined ? [] : rolesOf(mine),
  }
  Object.defineProperty(handle, inspect.custom, {
    value: () => `Group ${handle.name} (${handle.myRoles.join(', ') || 'not a member'})`,
  })
  return handle
}

function readQuotas({ slices, slivers, memory_mib, disk_mib }: Quotas): GroupQuotas {
  return { slices, slivers, memoryMiB: memory_mib, diskMiB: disk_mib }
}

function rolesOf(role: GroupSchema['user_roles'][number]): readonly GroupRole[] {
  const roles: GroupRole[] = [
    ...(role.is_group_admin ? (['group admin'] as const) : []),
    ...(role.is_node_admin ? (['node admin'] as const) : []),
    ...(role.is_slice_admin ? (['slice admin'] as const) : []),
  ]
  return roles.length === 0 ? ['researcher'] : roles
}

const columns: readonly Column<Group>[] = [
  { name: 'group', value: ({ name }) => name },
  { name: 'my roles', value: ({ myRoles }) => myRoles.join(', ') },
  { name: 'members', value: ({ members }) => members },
  { name: 'nodes', value: ({ nodes }) => nodes },
  { name: 'slices', value: ({ slices, quotas }) => `${slices} of ${quotas.slices}` },
  { name: 'slivers', value: ({ usage, quotas }) => `${usage.slivers} of ${quotas.slivers}` },
]
