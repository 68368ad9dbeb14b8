import type { Change } from '../change.ts'
import { withdrawMails } from './mails.ts'

/** End the one-time secrets of a user, and their mails: each would set another password or address. */
export async function endInvitations(change: Change, userId: number): Promise<void> {
  await change.tx.deleteFrom('invitations').where('user_id', '=', userId).execute()
  await withdrawMails(change, userId, ['invitation', 'reset', 'address'])
}
