/** The scope of the nodes' own measurements. */
export const nodeScope = 'node'

const namePattern = /^[a-z][a-z0-9_]{0,62}$/u
const scopePattern = /^slice-([1-9]\d{0,8})$/u

/** Tell whether a text may be the name of a measurement or of a field. */
export function isName(name: string): boolean {
  return namePattern.test(name)
}

/** The slice of a scope; null for every other text, the scope `node` too. */
export function maybeSliceOf(scope: string): number | null {
  const id = scopePattern.exec(scope)?.[1]
  return id === undefined ? null : Number(id)
}

/** Tell whether a text may be the name of a scope. Whether its slice exists is not checked. */
export function isScope(scope: string): boolean {
  return scope === nodeScope || maybeSliceOf(scope) !== null
}

/** The key of a measurement in maps and news. */
export function measurementKey(scope: string, name: string): string {
  return `${scope}/${name}`
}

/** Quote an SQL identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Quote an SQL text. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** A measurement's table in SQL: a schema for each scope. */
export function tableOf({
  scope,
  name,
}: {
  readonly scope: string
  readonly name: string
}): string {
  return `${quoteIdentifier(scope)}.${quoteIdentifier(name)}`
}
