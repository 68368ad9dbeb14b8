import { LabError } from '@community-lab/contract'

/** Return an object if it exists. @throws {@link LabError} LAB_NOT_FOUND. */
export function found<T>(object: T | null | undefined, kind: string, id: string | number): T {
  if (object === null || object === undefined)
    throw new LabError('LAB_NOT_FOUND', { kind, id: String(id).slice(0, 128) })
  return object
}
