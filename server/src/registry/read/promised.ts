import { resourceDefaults, type ResourceName } from '@community-lab/contract'
import { sql, type RawBuilder } from 'kysely'

/** Return an SQL expression for how much of a resource a row of `slivers` was promised: the rule of `promisedOf`. */
export function promised(name: ResourceName): RawBuilder<number> {
  const path = sql.lit(`$[*] ? (@.name == "${name}").req`)
  const stored = sql`jsonb_path_query_first(slivers.resources, ${path}::jsonpath)`
  return sql`coalesce(${stored}::bigint, ${sql.lit(resourceDefaults[name])})`
}
