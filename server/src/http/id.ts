import { LabError } from '@community-lab/contract'

/** Read the id of an object in a path. @throws {@link LabError} LAB_NOT_FOUND when it cannot be an id. */
export function readId(text: string, kind: string): number {
  if (/^[1-9]\d{0,8}$/u.test(text)) return Number(text)
  throw new LabError('LAB_NOT_FOUND', { kind, id: text.slice(0, 128) })
}
