import { describeMismatch, messageOf } from '@community-lab/contract'
import type { Static, TObject } from 'typebox'
import { Value } from 'typebox/value'

/** A JSON object with unknown members. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * The format of one kind of document on the agent's disk. It is independent of the schemas of the API.
 *
 * Each document has two numbers. `version` is the version of its format. `readableFrom` is the lowest version of a reader that can use it: such a reader finds
 * all members that it knows, with the meaning that it knows, and keeps unknown members when it writes the document again. So a new optional member raises only
 * `version`; a member that is removed or changes its meaning raises both. A document without a version has version 0: agents wrote such documents before this
 * rule.
 */
export interface Format<S extends TObject> {
  /** What such a document is, in words: `a sliver's record`. */
  readonly what: string
  /** The version that this agent writes. */
  readonly version: number
  readonly readableFrom: number
  /** The members of this version. Further members are kept. */
  readonly schema: S
  /** The function at index `n` converts version `n` into version `n + 1`. It must not assume that its input is complete: the result is checked. */
  readonly migrations: readonly ((document: JsonObject) => JsonObject)[]
}

/** The result of parsing a document. */
export type Parsed<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'unreadable'; readonly reason: string }

/** Parse a document of any version that its `readableFrom` allows. The value keeps members that are not in the schema. */
export function parseDocument<S extends TObject>(
  format: Format<S>,
  text: string,
): Parsed<Static<S>> {
  const document = maybeObject(text)
  if (document === null) return unreadable('it is not a JSON object')
  const { version = 0, readableFrom = version } = document
  if (!isVersion(version) || !isVersion(readableFrom))
    return unreadable('its version is not a number')
  if (readableFrom > format.version)
    return unreadable(
      `it is of version ${version}, and this agent reads versions up to ${format.version}`,
    )
  try {
    const value = format.migrations
      .slice(version)
      .reduce<JsonObject>((older, migrate) => migrate(older), document)
    if (Value.Check(format.schema, value)) return { kind: 'read', value }
    return unreadable(describeMismatch(format.schema, value))
  } catch (error) {
    // A migration has failed on an unexpected value.
    return unreadable(messageOf(error))
  }
}

/** Write a document. A document that was read in a newer version keeps that version. */
export function formatDocument<S extends TObject>(format: Format<S>, value: Static<S>): string {
  const { version, readableFrom, ...members } = value as JsonObject
  const isNewer = isVersion(version) && version > format.version
  return `${JSON.stringify({
    version: isNewer ? version : format.version,
    readableFrom: isNewer && isVersion(readableFrom) ? readableFrom : format.readableFrom,
    ...members,
  })}\n`
}

function unreadable(reason: string): { readonly kind: 'unreadable'; readonly reason: string } {
  return { kind: 'unreadable', reason }
}

function isVersion(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function maybeObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : null
  } catch {
    // The text is not JSON.
    return null
  }
}
