import { Run } from '@community-lab/contract'
import { sql } from 'kysely'
import { both, integer, text, type FilterColumns } from '../../postgres/filter.ts'
import type { RegistryStore } from '../store.ts'
import type { ListSource } from './list-source.ts'
import { count } from './selection.ts'

/** Whose runs are listed: all, those of slices of some groups, or those of a slice. */
export type RunsShown =
  'all' | { readonly groupIds: readonly number[] } | { readonly sliceId: number }

/** A run may have a thousand parts. Two hundred of those in memory took 750 MiB. */
const runsAtOnce = 50

/** List runs, the newest first. */
export function listRuns({ db, read }: RegistryStore, shown: RunsShown): ListSource<Run> {
  const among =
    shown === 'all'
      ? sql<boolean>`true`
      : 'sliceId' in shown
        ? sql<boolean>`runs.slice_id = ${shown.sliceId}`
        : sql<boolean>`slices.group_id = any(${shown.groupIds}::int[])`
  return {
    schema: Run,
    columns: runColumns,
    atOnce: runsAtOnce,
    count: (where) =>
      count(db, sql`runs join slices on slices.id = runs.slice_id`, both(among, where)),
    read: ({ where, ...page }) => read.runs(db, { ...page, where: both(among, where) }),
    after: ({ created_on: createdOn, id }) =>
      sql<boolean>`(runs.created_on, runs.id) < (${createdOn}::timestamptz, ${id})`,
  }
}

const runColumns: FilterColumns = {
  '/id': text(sql`runs.id`),
  '/name': text(sql`runs.name`),
  '/slice/id': integer(sql`runs.slice_id`),
  '/group/id': integer(sql`slices.group_id`),
  '/created_by/id': integer(sql`runs.created_by`),
  '/ended_on': (value) =>
    value === null ? sql<boolean>`runs.ended_on is null` : sql<boolean>`false`,
}
