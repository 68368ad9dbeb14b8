import { resourceDefaults, type ResourceName, type ResourceRequest } from '@community-lab/contract'

/**
 * Return how much of a resource a sliver was promised, by the list that is stored with it. A sliver of a time in which there was no such resource has the
 * default amount. `registry/read/promised.ts` is the same rule in SQL.
 */
export function promisedOf(
  resources: readonly Pick<ResourceRequest, 'name' | 'req'>[],
  name: ResourceName,
): number {
  return resources.find((each) => each.name === name)?.req ?? resourceDefaults[name]
}
