import type { Change } from '../change.ts'

type Notes = Pick<Change, 'trace' | 'note'>

/** Note that somebody changed a group. */
export function noteGroup(change: Notes, id: number): void {
  change.trace('group', 'updated', id)
  change.note('group', 'updated', id)
}

/** Note that somebody changed a request. */
export function noteRequest(change: Notes, id: number): void {
  change.trace('request', 'updated', id)
  change.note('request', 'updated', id)
}
