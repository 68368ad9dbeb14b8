import { LabError, parseSliverId } from '@community-lab/contract'
import type { FastifyRequest } from 'fastify'
import type { Kysely } from 'kysely'
import { rights, type Right, type RightName } from '../domain/rights.ts'
import type { Tables } from '../postgres/tables.ts'
import { readId } from '../http/id.ts'
import { permitGroup, permitNode } from './permit.ts'

/**
 * Let a request go on when the object in its path is the asker's own, where its right asks for that.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_AUTH_REQUIRED, LAB_AUTH_FORBIDDEN.
 */
export async function permitObject(
  db: Kysely<Tables>,
  name: RightName,
  { principal, params }: FastifyRequest,
): Promise<void> {
  const { object }: Right = rights[name]
  if (object === 'none' || object === 'unnamed') return
  const { id = '' } = params as { readonly id?: string }
  if (object === 'node itself') {
    permitNode(principal, name, readId(id, 'node'))
    return
  }
  const groupId =
    object === 'slice'
      ? await findGroup(db, readId(id, 'slice'))
      : await findGroupOfSliver(db, parseSliverId(id))
  if (groupId === null) throw new LabError('LAB_NOT_FOUND', { kind: object, id: id.slice(0, 128) })
  permitGroup(principal, name, groupId)
}

async function findGroup(db: Kysely<Tables>, sliceId: number): Promise<number | null> {
  const row = await db
    .selectFrom('slices')
    .select('group_id')
    .where('id', '=', sliceId)
    .executeTakeFirst()
  return row?.group_id ?? null
}

async function findGroupOfSliver(
  db: Kysely<Tables>,
  at: ReturnType<typeof parseSliverId>,
): Promise<number | null> {
  if (at === null) return null
  const row = await db
    .selectFrom('slivers')
    .innerJoin('slices', 'slices.id', 'slivers.slice_id')
    .select('slices.group_id')
    .where('slivers.slice_id', '=', at.sliceId)
    .where('slivers.node_id', '=', at.nodeId)
    .executeTakeFirst()
  return row?.group_id ?? null
}
