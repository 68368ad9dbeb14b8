import { join } from 'node:path'
import type { Arch } from '@community-lab/contract'
import { enrollmentTokenMissing, type AgentConfiguration } from './config.ts'
import { loadIdentity, saveIdentity, type Identity } from './mgmt/identity.ts'
import { ensureTincKey } from '@community-lab/contract/host'
import { enroll } from './server/enrollment.ts'

/** Return the tinc folder of the node, in its data folder. */
export function tincFolder(dataDir: string): string {
  return join(dataDir, 'tinc')
}

/**
 * Return the identity of this node: the one from its enrolment, or, at its first start, the one that the server gives it for its one-time token. Its key is
 * made first. When the answer is lost, the node asks again with the same key and gets the same answer.
 *
 * @throws {@link LabError} LAB_CONFIG_MISSING without a token; LAB_IDENTITY_DAMAGED; the errors of `enroll`.
 */
export async function identify(
  { dataDir, enrollmentToken }: AgentConfiguration,
  arch: Arch,
  signal: AbortSignal,
): Promise<{ readonly identity: Identity; readonly isNew: boolean }> {
  const known = await loadIdentity(dataDir)
  if (known !== null) return { identity: known, isNew: false }
  if (enrollmentToken === null) throw enrollmentTokenMissing()
  const { pubkey: tincPubkey, sign } = await ensureTincKey(tincFolder(dataDir))
  const identity = await enroll(enrollmentToken, { tincPubkey, sign, arch }, signal)
  await saveIdentity(dataDir, identity)
  return { identity, isNew: true }
}
