/** The scope of the measurements that nodes make of themselves. */
export const nodeScope = 'node'

const namePattern = /^[a-z][a-z0-9_]{0,62}$/u
const scopePattern = /^slice-([1-9]\d{0,8})$/u

/** Tell whether a text may be the name of a measurement or of a field. */
export function isName(name: string): boolean {
  return namePattern.test(name)
}

/** Return the slice of a scope; null for every other text and for the scope `node`. */
export function maybeSliceOf(scope: string): number | null {
  const id = scopePattern.exec(scope)?.[1]
  return id === undefined ? null : Number(id)
}

/** Tell whether a text may be the name of a scope. Whether its slice exists is not checked. */
export function isScope(scope: string): boolean {
  return scope === nodeScope || maybeSliceOf(scope) !== null
}

/** Return the key of a measurement in maps and messages. */
export function measurementKey(scope: string, name: string): string {
  return `${scope}/${name}`
}

/** Write a name as an SQL identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Write a text as an SQL string. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** Return the table of a measurement in SQL. Each scope has a schema. */
export function tableOf({
  scope,
  name,
}: {
  readonly scope: string
  readonly name: string
}): string {
  return `${quoteIdentifier(scope)}.${quoteIdentifier(name)}`
}
