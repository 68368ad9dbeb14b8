import { LabError, notificationKinds } from '@community-lab/contract'
import { isNotificationKind } from '../../domain/notification.ts'
import { isProof, type Subscription } from '../../mail/unsubscribe.ts'
import { actAsUser } from '../actor.ts'
import type { Db } from '../read/selection.ts'
import type { RegistryStore } from '../store.ts'

/** A link of a mail. */
export interface SubscriptionLink {
  /** The id of a user. */
  readonly id: number
  readonly kind: string
  readonly proof: string
}

/** Find what a link ends. @throws {@link LabError} LAB_NOT_FOUND when no mail has this link. */
export async function findSubscription(
  db: Db,
  { id, kind, proof }: SubscriptionLink,
): Promise<Pick<Subscription, 'kind'> & { readonly name: string }> {
  const user = await db
    .selectFrom('users')
    .select(['name', 'unsubscribe_key as key'])
    .where('id', '=', id)
    .executeTakeFirst()
  const isKind = kind === 'all' || isNotificationKind(kind)
  if (user?.key == null || !isKind || !isProof({ userId: id, kind, key: user.key }, proof))
    throw new LabError('LAB_NOT_FOUND', { kind: 'link', id: String(id) })
  return { kind, name: user.name }
}

/** End the notifications of a link. Doing it again changes nothing. @throws {@link LabError} as {@link findSubscription}. */
export async function unsubscribe(
  registry: RegistryStore,
  link: SubscriptionLink,
  address: string | null,
): Promise<void> {
  const { id } = link
  const { kind, name } = await findSubscription(registry.db, link)
  const ended = kind === 'all' ? notificationKinds : [kind]
  await actAsUser({ id, name }, { address, right: 'unsubscribe' }, () =>
    registry.change(async ({ tx, trace }) => {
      const user = await tx
        .selectFrom('users')
        .select('muted')
        .where('id', '=', id)
        .forNoKeyUpdate()
        .executeTakeFirst()
      if (user === undefined || ended.every((each) => user.muted.includes(each))) return
      const muted = [...new Set([...user.muted, ...ended])]
      await tx.updateTable('users').set({ muted }).where('id', '=', id).execute()
      trace('user', 'updated', id)
    }),
  )
}
