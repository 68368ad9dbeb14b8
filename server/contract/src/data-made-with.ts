import type { Sliver } from './schema/sliver.ts'

/**
 * Return the SHA-256 of the data archive that a sliver was made with, as its node has reported; null: none; undefined: it is not known, because the sliver is not made yet or
 * its agent does not tell. A node makes a sliver with what the target says then, and keeps that until the next update of the sliver.
 */
export function dataMadeWith({
  actual,
  instance_sn: sn,
}: Pick<Sliver, 'actual' | 'instance_sn'>): string | null | undefined {
  return actual?.instance_sn === sn ? actual.data_sha256 : undefined
}
