import { LabError, nearestName } from '@community-lab/contract'

/** Find an object by its name or id. @throws {@link LabError} LAB_CLI_UNKNOWN_NAME with the most similar name. */
export function findNamed<T extends { readonly id: number; readonly name: string }>(
  kind: string,
  all: readonly T[],
  name: string,
): T {
  const named = all.filter((each) => each.name === name)
  if (named.length > 1) {
    const ids = named.map(({ id }) => id).join(', ')
    const problem = `there are ${named.length} ${kind}s with the name ${JSON.stringify(name)}; give the id of one: ${ids}`
    throw new LabError('LAB_CLI_USAGE', { problem })
  }
  const found = named[0] ?? all.find((each) => String(each.id) === name)
  if (found !== undefined) return found
  const known = all.map((each) => each.name)
  throw new LabError('LAB_CLI_UNKNOWN_NAME', {
    kind,
    name,
    suggestion: nearestName(name, known),
    known,
  })
}
