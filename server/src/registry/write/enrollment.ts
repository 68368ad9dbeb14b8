import { verify } from 'node:crypto'
import {
  enrollmentStatement,
  formatEnrollmentToken,
  isRsaPublicKeyPem,
  LabError,
  nodeTincName,
  type EnrollmentRequest,
  type EnrollmentToken,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { hashSecret, makeSecret } from '../../access/secret.ts'
import { dayMs } from '../../domain/day.ts'
import { membershipsOf } from '../read/memberships.ts'
import type { Db } from '../read/selection.ts'
import type { RegistryStore } from '../store.ts'
import { lockNode } from './nodes.ts'
import { revokeTokens } from './revoke-tokens.ts'

/** The address of the server for a node that does not have the management network yet. */
export interface FirstContact {
  readonly url: string
  readonly certificateSha256: string
}

const validForMs = dayMs

/** Whose token it is, and who makes it. */
export interface EnrollmentIssue {
  readonly nodeId: number
  readonly userId: number
}

/** Create the one-time token of a node. An earlier one becomes invalid. It is valid only while its maker may make one. */
export async function issueEnrollmentToken(
  store: RegistryStore,
  { nodeId, userId }: EnrollmentIssue,
  contact: FirstContact,
): Promise<EnrollmentToken> {
  const secret = makeSecret('cle')
  const expiresOn = new Date(Date.now() + validForMs)
  await store.change(async (change) => {
    await lockNode(store, change, nodeId)
    const values = {
      secret_sha256: hashSecret(secret),
      expires_on: expiresOn,
      used_pubkey: null,
      user_id: userId,
    }
    await change.tx
      .insertInto('enrollments')
      .values({ node_id: nodeId, ...values })
      .onConflict((conflict) => conflict.column('node_id').doUpdateSet(values))
      .execute()
    change.trace('node', 'updated', nodeId)
  })
  return {
    token: formatEnrollmentToken({ ...contact, secret }),
    expires_on: expiresOn.toISOString(),
  }
}

/** An enrolled node and its own token, which is shown only here. */
export interface Enrolled {
  readonly node: { readonly id: number; readonly name: string }
  readonly token: string
}

/**
 * Enrol a node with its one-time secret, when the node proves that it has the private half of its key. The answer may be lost on its way. So until the first
 * report of the node, a client that proves that it has the same key gets the answer again, with a new token instead of the one before. After that the secret is
 * invalid for everybody.
 *
 * @throws {@link LabError} LAB_ENROLLMENT_REFUSED, LAB_REQUEST_INVALID.
 */
export async function enrollNode(
  store: RegistryStore,
  { secret, certificateSha256 }: { readonly secret: string; readonly certificateSha256: string },
  { tinc_pubkey: pubkey, arch, proof }: EnrollmentRequest,
): Promise<Enrolled> {
  if (!isRsaPublicKeyPem(pubkey))
    throw new LabError('LAB_REQUEST_INVALID', {
      issues: [{ pointer: '/tinc_pubkey', message: 'must be an RSA public key in PKCS #1 PEM' }],
    })
  const refuse = (reason: string) => new LabError('LAB_ENROLLMENT_REFUSED', { reason })
  const statement = enrollmentStatement({ secret, certificateSha256, tincPubkey: pubkey })
  if (!isProved(statement, pubkey, proof))
    throw refuse('the proof is not of the private half of this key')
  return store.change(async (change) => {
    const { tx } = change
    const enrollment = await tx
      .selectFrom('enrollments')
      .selectAll()
      .where('secret_sha256', '=', hashSecret(secret))
      .forUpdate()
      .executeTakeFirst()
    if (enrollment === undefined) throw refuse('it is not known, has been used or replaced')
    if (enrollment.expires_on.getTime() < Date.now()) throw refuse('it has expired')
    if (enrollment.used_pubkey !== null && enrollment.used_pubkey !== pubkey)
      throw refuse('it has been used, with another key')
    const nodeId = enrollment.node_id
    const node = await lockNode(store, change, nodeId)
    if (!(await mayIssue(tx, enrollment.user_id, node.group.id)))
      throw refuse('the user who made it may not make one for this node any more')
    await tx
      .updateTable('enrollments')
      .set({ used_pubkey: pubkey })
      .where('node_id', '=', nodeId)
      .execute()
    await tx
      .updateTable('nodes')
      .set({
        tinc_pubkey: pubkey,
        arch,
        // A node becomes safe by itself when the management network is configured. Source: CONFINE.
        set_state: node.set_state === 'debug' ? 'safe' : node.set_state,
      })
      .where('id', '=', nodeId)
      .execute()
    await revokeTokens(change, { nodeId })
    const token = makeSecret('cln')
    await tx
      .insertInto('tokens')
      .values({
        name: nodeTincName(nodeId),
        role: 'node',
        kind: 'node',
        node_id: nodeId,
        secret_sha256: hashSecret(token),
      })
      .execute()
    change.note('node', 'updated', nodeId)
    change.target(nodeId)
    change.tincHost(nodeTincName(nodeId))
    return { node: { id: nodeId, name: node.name }, token }
  })
}

function isProved(statement: string, pubkey: string, proof: string): boolean {
  try {
    return verify('sha256', Buffer.from(statement), pubkey, Buffer.from(proof, 'base64'))
  } catch {
    // The text is not a valid key, so it proves nothing.
    return false
  }
}

/** Whether a user may make enrolment tokens for a group's nodes: those who may by the right "make an enrolment token". */
async function mayIssue(db: Db, userId: number | null, groupId: number): Promise<boolean> {
  if (userId === null) return true
  const user = await db
    .selectFrom('users')
    .select(['is_superuser', membershipsOf(sql.ref('users.id')).as('memberships')])
    .where('id', '=', userId)
    .where('is_active', '=', true)
    .executeTakeFirst()
  if (user === undefined) return false
  return (
    user.is_superuser ||
    user.memberships.some(
      (one) => one.group_id === groupId && (one.is_group_admin || one.is_node_admin),
    )
  )
}
