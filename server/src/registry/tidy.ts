import { sql } from 'kysely'
import { actAsServer } from './actor.ts'
import { removeOldAudit } from './audit-trail.ts'
import { doEach } from './each-step.ts'
import type { RegistryStore } from './store.ts'
import { tidyMails } from './write/mails.ts'
import { removeEndedTokens } from './write/revoke-tokens.ts'
import { removeExpiredSlices, warnOfEnds } from './write/slice-ends.ts'

/** The number of events that are kept, at least. A reader that was away for longer reads everything again. */
const eventsKept = 100_000

/** Remove what has ended, and warn of what ends soon. What fails is passed to `onError`. */
export async function tidy(store: RegistryStore, onError: (error: unknown) => void): Promise<void> {
  const { db } = store
  const steps: readonly (() => Promise<unknown>)[] = [
    () => actAsServer('remove slices that have ended', () => removeExpiredSlices(store)),
    () => actAsServer('warn of the ends of slices', () => warnOfEnds(store)),
    () => removeEndedTokens(db),
    // Anybody can ask for another's reset, so they would gather without end.
    () => sql`delete from invitations where expires_on < now()`.execute(db),
    // Also where no mails are sent any more: what waits has one-time links.
    () => tidyMails(db),
    () => removeOldAudit(db),
    () =>
      sql`delete from events where id <= (select value - ${eventsKept} from counters where name = 'event')`.execute(
        db,
      ),
  ]
  await doEach(steps, onError)
}
