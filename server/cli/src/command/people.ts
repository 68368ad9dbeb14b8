import type { GroupRole } from '@community-lab/contract'

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
