import { sql } from 'kysely'
import { LabError } from '@community-lab/contract'
import type { Change } from '../change.ts'
import type { Db } from '../read/selection.ts'

/** The tokens to revoke: a single one, some, all of a user or those with a role, or all of a node. */
export type TokensOf =
  | { readonly id: number }
  | { readonly ids: readonly number[] }
  | { readonly userId: number; readonly role?: 'operator' }
  | { readonly nodeId: number }

/**
 * Revoke tokens in this transaction. Returns the number of them.
 *
 * @throws {@link LabError} LAB_AUTH_LAST_OPERATOR when no operator's token would be left that never expires and may change things, because nobody could create
 * another.
 */
export async function revokeTokens(change: Change, of: TokensOf): Promise<number> {
  const query = change.tx.deleteFrom('tokens').returning(['id', 'role', 'scope', 'expires_on'])
  const rows = await (
    'id' in of
      ? query.where('id', '=', of.id)
      : 'ids' in of
        ? query.where('id', '=', sql<number>`any(${of.ids}::int[])`)
        : 'userId' in of
          ? query
              .where('user_id', '=', of.userId)
              .$if(of.role !== undefined, (some) => some.where('role', '=', of.role ?? 'operator'))
          : query.where('node_id', '=', of.nodeId)
  ).execute()
  change.cutTokens(rows.map(({ id }) => id))
  for (const { id } of rows) change.trace('token', 'deleted', id)
  // Where no operator's token lasts, those that end may still be ended before.
  if (rows.some((row) => row.role === 'operator' && row.scope === 'all' && row.expires_on === null))
    await requireLastingOperator(change, 'userId' in of ? 'a token of this user' : 'this token')
  return rows.length
}

/**
 * Require that an operator still has a token that never expires after the changes so far.
 *
 * @param what the object that was removed, for the refusal
 * @throws {@link LabError} LAB_AUTH_LAST_OPERATOR.
 */
export async function requireLastingOperator(change: Change, what: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(${operatorLock})`.execute(change.tx)
  if (!(await hasLastingOperator(change.tx))) throw new LabError('LAB_AUTH_LAST_OPERATOR', { what })
}

/** The number of the advisory lock for removing operators, so that two operators do not remove each other. The number is "clop" in ASCII. */
const operatorLock = 0x636c6f70

/** Tell whether there is an operator's token that never expires and may change things, of a user who is not disabled. */
export async function hasLastingOperator(db: Db): Promise<boolean> {
  const row = await db
    .selectFrom('tokens')
    .innerJoin('users', 'users.id', 'tokens.user_id')
    .select('tokens.id')
    .where('users.is_active', '=', true)
    .where('role', '=', 'operator')
    .where('scope', '=', 'all')
    .where('expires_on', 'is', null)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** Tokens are listed for this time after their end, so that people see what has ended. */
const listedForDays = 30

/** Remove the tokens of users that ended long ago. */
export async function removeEndedTokens(db: Db): Promise<void> {
  await sql`delete from tokens where user_id is not null and (
    expires_on < now() - ${listedForDays} * interval '1 day'
    or coalesce(last_used_on, created_on) + idle_s * interval '1 second'
      < now() - ${listedForDays} * interval '1 day')`.execute(db)
}
