import type { Slice as SliceObject } from '@community-lab/contract'
import { currentDisplay } from '../display/current.ts'
import { formatTime } from '../display/time.ts'

/** The warnings that were shown in each session. */
const shown = new WeakMap<object, Set<string>>()

/** The part of a slice that tells of its end. */
export type EndingSlice = Pick<SliceObject, 'id' | 'name' | 'expires_on' | 'end_warning'>

/** Show that a slice ends soon, once for each of the server's warnings. A renewed slice may be warned of again. */
export function warnOfEnd(
  session: object,
  { id, name, expires_on: expiresOn, end_warning: warned }: EndingSlice,
): void {
  if (warned === undefined || warned === null) return
  const before = shown.get(session) ?? new Set()
  shown.set(session, before)
  const warning = `${id} ${expiresOn} ${warned.days}`
  if (before.has(warning)) return
  before.add(warning)
  const within = warned.days === 1 ? 'a day' : `${warned.days} days`
  const text = `slice ${name} ends within ${within}, on ${formatTime(new Date(expiresOn))}: what is in its slivers will be lost, its measurements stay. To keep it for 30 more days: await slice.renew()`
  currentDisplay().display({ 'text/plain': text })
}
