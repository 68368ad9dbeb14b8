import { LabError, parseSliverId } from '@community-lab/contract'
import type { FastifyRequest } from 'fastify'
import type { Kysely } from 'kysely'
import { findRefusal, type Owner } from '../domain/asker.ts'
import { rights, type OwnedKind, type Right, type RightName } from '../domain/rights.ts'
import type { Tables } from '../postgres/tables.ts'
import { readId } from '../http/id.ts'
import { readGroupContact } from '../registry/read/group-contact.ts'
import { describeRefusal } from './permit.ts'

/** Tell whether a right is one to the object that the path of a request names. */
export function isOfOneObject(name: RightName): boolean {
  const { object }: Right = rights[name]
  return object !== 'none' && object !== 'unnamed'
}

/**
 * Require that the asker may do what the request does to the object in its path.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_AUTH_REQUIRED, LAB_AUTH_FORBIDDEN.
 */
export async function permitObject(
  db: Kysely<Tables>,
  name: RightName,
  { principal, params }: FastifyRequest,
): Promise<void> {
  const { object, may }: Right = rights[name]
  if (object === 'none' || object === 'unnamed') return
  const { id = '' } = params as { readonly id?: string }
  const owner =
    // Nodes ask often, and the id in the path is that of the only node that may.
    object === 'node' && may.length === 1 && may[0] === 'node itself'
      ? { nodeId: readId(id, 'node') }
      : await findOwner(db, object, id)
  if (owner === null) throw new LabError('LAB_NOT_FOUND', { kind: object, id: id.slice(0, 128) })
  const refusal = findRefusal(name, principal, owner)
  if (refusal === null) return
  const group = await readGroupContact(db, owner.groupId ?? null)
  throw describeRefusal(refusal, principal, { name, group })
}

/** Return the owner of an object; null when there is no such object. */
async function findOwner(db: Kysely<Tables>, kind: OwnedKind, id: string): Promise<Owner | null> {
  if (kind === 'sliver') return findOwnerOfSliver(db, id)
  if (kind === 'run') return findOwnerOfRun(db, id)
  const number = readId(id, kind)
  switch (kind) {
    case 'user': {
      const row = await db
        .selectFrom('users')
        .select('id as userId')
        .where('id', '=', number)
        .executeTakeFirst()
      return row ?? null
    }
    case 'group': {
      const row = await db
        .selectFrom('groups')
        .select('id as groupId')
        .where('id', '=', number)
        .executeTakeFirst()
      return row ?? null
    }
    case 'token': {
      const row = await db
        .selectFrom('tokens')
        .select('user_id as userId')
        .where('id', '=', number)
        .executeTakeFirst()
      return row ?? null
    }
    case 'host': {
      const row = await db
        .selectFrom('hosts')
        .select('owner_id as userId')
        .where('id', '=', number)
        .executeTakeFirst()
      return row ?? null
    }
    case 'request': {
      const row = await db
        .selectFrom('requests')
        .select(['group_id as groupId', 'user_id as userId'])
        .where('id', '=', number)
        .executeTakeFirst()
      return row ?? null
    }
    case 'node':
    case 'slice':
    case 'template': {
      const row = await db
        .selectFrom(`${kind}s`)
        .select('group_id as groupId')
        .where('id', '=', number)
        .executeTakeFirst()
      return row ?? null
    }
  }
}

async function findOwnerOfSliver(db: Kysely<Tables>, id: string): Promise<Owner | null> {
  const at = parseSliverId(id)
  if (at === null) return null
  const row = await db
    .selectFrom('slivers')
    .innerJoin('slices', 'slices.id', 'slivers.slice_id')
    .select('slices.group_id as groupId')
    .where('slivers.slice_id', '=', at.sliceId)
    .where('slivers.node_id', '=', at.nodeId)
    .executeTakeFirst()
  return row ?? null
}

async function findOwnerOfRun(db: Kysely<Tables>, id: string): Promise<Owner | null> {
  const row = await db
    .selectFrom('runs')
    .innerJoin('slices', 'slices.id', 'runs.slice_id')
    .select('slices.group_id as groupId')
    .where('runs.id', '=', id.slice(0, 128))
    .executeTakeFirst()
  return row ?? null
}
