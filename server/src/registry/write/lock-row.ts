import { found } from '../../domain/found.ts'
import type { Change } from '../change.ts'

const kinds = {
  hosts: 'host',
  islands: 'island',
  nodes: 'node',
  servers: 'server',
  slices: 'slice',
} as const

/**
 * Lock the row of an object until the end of the transaction. With `forRemoval`, nobody can refer to it meanwhile, as a new sliver refers to its slice.
 *
 * @throws {@link LabError} LAB_NOT_FOUND.
 */
export async function lockRow(
  { tx }: Change,
  table: keyof typeof kinds,
  { id, forRemoval = false }: { readonly id: number; readonly forRemoval?: boolean },
): Promise<void> {
  const query = tx.selectFrom(table).select('id').where('id', '=', id)
  const row = await (forRemoval ? query.forUpdate() : query.forNoKeyUpdate()).executeTakeFirst()
  found(row, kinds[table], id)
}
