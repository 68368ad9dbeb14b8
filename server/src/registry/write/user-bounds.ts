import { LabError } from '@community-lab/contract'
import { dayMs } from '../../domain/day.ts'
import type { Change } from '../change.ts'
import { found } from '../../domain/found.ts'

/** How many of each kind one user may have, so that nobody fills the registry. They are far above what people need. */
const most = { groups: 50, tokens: 200, requests: 100, hosts: 20 } as const

/** What a user may have only so many of. */
export type Bounded = keyof typeof most

/**
 * Require that a user may have one more. `groups` are those that the user is an admin of, `tokens` those that they made and that have not expired, `requests` those of the last
 * day. The user's row stays locked until the end of the transaction, so that two changes at once do not both take the last place. Operators have no bound
 * for groups, requests and hosts.
 *
 * @throws {@link LabError} LAB_ACCESS_TOO_MANY; LAB_NOT_FOUND when the user has just been removed.
 */
export async function requireRoom({ tx }: Change, userId: number, what: Bounded): Promise<void> {
  const row = await tx
    .selectFrom('users')
    .select(['name', 'is_superuser'])
    .where('id', '=', userId)
    .forNoKeyUpdate()
    .executeTakeFirst()
  const user = found(row, 'user', userId)
  if (user.is_superuser && what !== 'tokens') return
  const limit = most[what]
  if ((await counts[what](tx, userId)) >= limit)
    throw new LabError('LAB_ACCESS_TOO_MANY', { user: user.name, what, limit })
}

type Count = (tx: Change['tx'], userId: number) => Promise<number>

const counts: Readonly<Record<Bounded, Count>> = {
  async groups(tx, userId) {
    const query = tx.selectFrom('group_roles').select((eb) => eb.fn.countAll<number>().as('count'))
    const rows = await query
      .where('user_id', '=', userId)
      .where('is_group_admin', '=', true)
      .execute()
    return rows[0]?.count ?? 0
  },
  async tokens(tx, userId) {
    const query = tx.selectFrom('tokens').select((eb) => eb.fn.countAll<number>().as('count'))
    const rows = await query
      .where('user_id', '=', userId)
      .where('kind', '=', 'personal')
      .where((eb) => eb.or([eb('expires_on', 'is', null), eb('expires_on', '>', new Date())]))
      .execute()
    return rows[0]?.count ?? 0
  },
  async hosts(tx, userId) {
    const query = tx.selectFrom('hosts').select((eb) => eb.fn.countAll<number>().as('count'))
    const rows = await query.where('owner_id', '=', userId).execute()
    return rows[0]?.count ?? 0
  },
  async requests(tx, userId) {
    const query = tx.selectFrom('requests').select((eb) => eb.fn.countAll<number>().as('count'))
    const rows = await query
      .where('user_id', '=', userId)
      .where('created_on', '>', new Date(Date.now() - dayMs))
      .execute()
    return rows[0]?.count ?? 0
  },
}
