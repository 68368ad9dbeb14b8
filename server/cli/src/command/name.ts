import { LabError, nearestName } from '@community-lab/contract'

/** Find an object by its name or id. @throws {@link LabError} LAB_CLI_UNKNOWN_NAME with the most similar name. */
export function findNamed<T extends { readonly id: number; readonly name: string }>(
  kind: string,
  all: readonly T[],
  name: string,
): T {
  const found =
    all.find((each) => each.name === name) ?? all.find((each) => String(each.id) === name)
  if (found !== undefined) return found
  const known = all.map((each) => each.name)
  throw new LabError('LAB_CLI_UNKNOWN_NAME', {
    kind,
    name,
    suggestion: nearestName(name, known),
    known,
  })
}
