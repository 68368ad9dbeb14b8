import { sql } from 'kysely'
import { LabError, quotaDefaults, type Quotas, type SliceSpec } from '@community-lab/contract'
import { admitSlice, type Admission, type AdmissionContext } from '../../domain/admission.ts'
import { found } from '../../domain/found.ts'
import { checkQuotas } from '../../domain/quota.ts'
import { readUses } from '../read/use.ts'
import type { Change } from '../change.ts'
import type { RegistryStore } from '../store.ts'

/** The number of the advisory lock for admission. With the lock, each admission sees the reservations of all earlier ones. The number is "clab" in ASCII. */
const admissionLock = 0x636c6162

/** Take the lock for admission until the end of the transaction. */
export async function lockAdmission(change: Change): Promise<void> {
  await sql`select pg_advisory_xact_lock(${admissionLock})`.execute(change.tx)
}

/** A spec, and what is known of the nodes that it names. */
export interface Admitting extends AdmissionContext {
  readonly spec: SliceSpec
}

/**
 * Admit a slice. All nodes are read only for a refusal, which suggests others. The lock for admission must be held.
 *
 * @throws {@link LabError} the errors of {@link admitSlice}.
 */
export async function admitOn(
  store: RegistryStore,
  { tx }: Change,
  { spec, ...context }: Admitting,
): Promise<Admission> {
  try {
    return admitSlice(spec, context)
  } catch (error) {
    if (!LabError.is(error)) throw error
    admitSlice(spec, { ...context, nodes: await store.read.nodes(tx) })
    throw error
  }
}

/** A growth of a slice. */
export interface Growth {
  readonly groupId: number
  /** The name of the slice. */
  readonly slice: string
  readonly growth: Quotas
}

/** Require that a group has room for a growth within its quotas. The lock for admission must be held. @throws {@link LabError} LAB_GROUP_QUOTA. */
export async function requireQuota({ tx }: Change, { groupId, slice, growth }: Growth) {
  const row = await tx
    .selectFrom('groups')
    .select(['name', 'quotas'])
    .where('id', '=', groupId)
    .executeTakeFirst()
  const { name: group, quotas } = found(row, 'group', groupId)
  const uses = (await readUses(tx, [groupId])).get(groupId) ?? []
  checkQuotas({ group, slice, quotas: { ...quotaDefaults, ...quotas }, uses, growth })
}
