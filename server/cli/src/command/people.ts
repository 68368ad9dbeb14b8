import { Group, routes, User, type GroupRole } from '@community-lab/contract'
import Type from 'typebox'
import type { Client } from '../http/client.ts'

/** List all groups, in the order of their ids. */
export async function listGroups(client: Client): Promise<readonly Group[]> {
  const groups = await client.ask(Type.Array(Group), routes.groups)
  return groups.toSorted((a, b) => a.id - b.id)
}

/** List all users, in the order of their ids. */
export async function listUsers(client: Client): Promise<readonly User[]> {
  const users = await client.ask(Type.Array(User), routes.users)
  return users.toSorted((a, b) => a.id - b.id)
}

/** Return the name of a referenced object; its id when the name is not known. */
export function nameOf(
  all: readonly { readonly id: number; readonly name: string }[],
  { id }: { readonly id: number },
): string {
  return all.find((each) => each.id === id)?.name ?? String(id)
}

/** The flags of a membership, as options of a command. */
export interface RoleOptions {
  readonly groupAdmin?: boolean
  readonly nodeAdmin?: boolean
  readonly sliceAdmin?: boolean
}

/** Return the flags of a membership, as the API names them. */
export function flagsOf({ groupAdmin, nodeAdmin, sliceAdmin }: RoleOptions) {
  return {
    is_group_admin: groupAdmin ?? false,
    is_node_admin: nodeAdmin ?? false,
    is_slice_admin: sliceAdmin ?? false,
  }
}

/** Describe the rights of a member in words. */
export function describeRole(role: Omit<GroupRole, 'group'>): string {
  const names = [
    ...(role.is_group_admin ? ['group admin'] : []),
    ...(role.is_node_admin ? ['node admin'] : []),
    ...(role.is_slice_admin ? ['slice admin'] : []),
  ]
  return names.join(', ') || 'researcher'
}
