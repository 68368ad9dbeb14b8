import type { TSchema } from 'typebox'

/** Return a document with absolute URIs. */
export type MakeAbsolute = (document: unknown, site: string) => unknown

interface SchemaNode {
  readonly type?: string
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly items?: TSchema
  readonly anyOf?: readonly TSchema[]
}

/**
 * Prepare the change of a schema's documents. Inside the server, URIs are paths. Its members `uri` and `…_uri` that are paths get the site before them. Only
 * members that the schema names are changed, so the properties that people choose stay as they are.
 *
 * @returns null when the documents have no URIs
 */
export function prepareAbsolute(schema: TSchema): MakeAbsolute | null {
  const node: SchemaNode = schema
  if (node.anyOf !== undefined) {
    const changes = node.anyOf.flatMap((each) => prepareAbsolute(each) ?? [])
    if (changes.length === 0) return null
    return (value, site) => changes.reduce((changed, change) => change(changed, site), value)
  }
  if (node.items !== undefined) {
    const change = prepareAbsolute(node.items)
    if (change === null) return null
    return (value, site) =>
      Array.isArray(value) ? value.map((each: unknown) => change(each, site)) : value
  }
  const members = Object.entries(node.properties ?? {}).flatMap(([name, member]) => {
    const change = /(?:^|_)uri$/u.test(name) ? withSite : prepareAbsolute(member)
    return change === null ? [] : [[name, change] as const]
  })
  if (members.length === 0) return null
  return (value, site) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    const changed: Record<string, unknown> = { ...value }
    for (const [name, change] of members)
      if (name in changed) changed[name] = change(changed[name], site)
    return changed
  }
}

/** Put the site before a path. */
export function withSite(uri: unknown, site: string): unknown {
  return typeof uri === 'string' && uri.startsWith('/') ? site + uri : uri
}
