import { LabError, type ActualInterface } from '@community-lab/contract'
import type { InterfaceKind } from './kind.ts'
import { management } from './management.ts'
import { public6 } from './public6.ts'

/** The kinds of sliver interfaces that this agent can make. A new kind needs a module in this folder and a line here. */
export const interfaceKinds: Readonly<Record<ActualInterface['type'], InterfaceKind>> = {
  management,
  public6,
}

/**
 * Find a kind by its name.
 * @throws {@link LabError} LAB_SLIVER_INTERFACE_UNKNOWN when a newer server requests a kind that this agent does not have.
 */
export function findKind(type: string, sliver: string): InterfaceKind {
  const kind = Object.values(interfaceKinds).find((one) => one.type === type)
  if (kind !== undefined) return kind
  const known = Object.keys(interfaceKinds)
  throw new LabError('LAB_SLIVER_INTERFACE_UNKNOWN', { sliver, type, known })
}
