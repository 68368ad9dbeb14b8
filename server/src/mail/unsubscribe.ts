import { createHmac, timingSafeEqual } from 'node:crypto'
import type { NotificationKind } from '@community-lab/contract'

/** What a link ends: one kind of notifications of a user, or all. */
export interface Subscription {
  readonly userId: number
  readonly kind: NotificationKind | 'all'
  /** The user's key. It proves only that somebody has got a mail to the user. */
  readonly key: string
}

/** Return the URL that ends notifications by one POST, without a log-in. Source: RFC 8058. */
export function unsubscribeUrl(site: string, subscription: Subscription): string {
  const { userId, kind } = subscription
  return `${site}/unsubscribe/${userId}/${kind}/${proofOf(subscription)}`
}

/** Tell whether a link was made for this user and kind. */
export function isProof(subscription: Subscription, given: string): boolean {
  const proof = Buffer.from(proofOf(subscription))
  const found = Buffer.from(given)
  return proof.length === found.length && timingSafeEqual(proof, found)
}

/** A link for one kind ends no other, and none of another user. Source: RFC 2104, HMAC; 128 of its bits. */
function proofOf({ userId, kind, key }: Subscription): string {
  return createHmac('sha256', key).update(`${userId} ${kind}`).digest('base64url').slice(0, 22)
}
