import { sql } from 'kysely'
import type { Agreement, AgreementCreate } from '@community-lab/contract'
import { readAgreements } from '../read/access.ts'
import type { Db } from '../read/selection.ts'
import { found } from '../../domain/found.ts'
import type { RegistryStore } from '../store.ts'
import { newestAgreement } from './group-rules.ts'

/** Read a version of the agreement. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readAgreement(db: Db, version: number): Promise<Agreement> {
  return found((await readAgreements(db, { ids: [version] }))[0], 'agreement', version)
}

/** The number of the advisory lock for publishing, so that version numbers have no gap. The number is "clag" in ASCII. */
const publishingLock = 0x636c6167

/** Publish the next version of the agreement. Groups that accepted an older version keep their rights. */
export async function publishAgreement(
  store: RegistryStore,
  { text }: AgreementCreate,
): Promise<Agreement> {
  return store.change(async (change) => {
    await sql`select pg_advisory_xact_lock(${publishingLock})`.execute(change.tx)
    const version = ((await newestAgreement(change)) ?? 0) + 1
    await change.tx.insertInto('agreements').values({ version, text }).execute()
    change.trace('agreement', 'created', version)
    return readAgreement(change.tx, version)
  })
}
