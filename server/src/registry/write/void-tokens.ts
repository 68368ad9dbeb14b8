import { sql } from 'kysely'
import { LabError } from '@community-lab/contract'
import type { Change } from '../change.ts'
import type { Db } from '../read/selection.ts'

/** Which tokens are meant: a single one, all of a user or those of a role, all of a node. */
export type TokensOf =
  | { readonly id: number }
  | { readonly userId: number; readonly role?: 'operator' }
  | { readonly nodeId: number }

/**
 * Void tokens, in this change. Returns how many there were.
 *
 * @throws {@link LabError} LAB_AUTH_LAST_OPERATOR when no operator's token is left that lives on and may change things: nobody could make another.
 */
export async function voidTokens(change: Change, of: TokensOf): Promise<number> {
  const query = change.tx.deleteFrom('tokens').returning(['id', 'role'])
  const rows = await (
    'id' in of
      ? query.where('id', '=', of.id)
      : 'userId' in of
        ? query
            .where('user_id', '=', of.userId)
            .$if(of.role !== undefined, (some) => some.where('role', '=', of.role ?? 'operator'))
        : query.where('node_id', '=', of.nodeId)
  ).execute()
  change.cutTokens(rows.map(({ id }) => id))
  for (const { id } of rows) change.trace('token', 'deleted', id)
  if (rows.some(({ role }) => role === 'operator'))
    await requireLastingOperator(change, 'userId' in of ? 'a token of this user' : 'this token')
  return rows.length
}

/**
 * Require that an operator can come in for good after what the change has done so far.
 *
 * @param what what was taken away, for the refusal
 * @throws {@link LabError} LAB_AUTH_LAST_OPERATOR.
 */
export async function requireLastingOperator(change: Change, what: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(${operatorLock})`.execute(change.tx)
  if (!(await hasLastingOperator(change.tx))) throw new LabError('LAB_AUTH_LAST_OPERATOR', { what })
}

/** The advisory lock of removing operators, so that two do not remove each other. The number is "clop" in ASCII. */
const operatorLock = 0x636c6f70

/** Tell whether there is an operator's token that lives on and may change things, of a user who is not disabled. */
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
