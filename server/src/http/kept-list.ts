import { createHash, randomUUID } from 'node:crypto'
import { etagOfText } from '../registry/etag.ts'
import type { Kept, Page, Version } from '../registry/read/list-source.ts'

/** A list that is written as JSON already, with its ETag. */
export class WrittenList {
  readonly bytes: Buffer
  readonly etag: string

  constructor(bytes: Buffer, etag: string) {
    this.bytes = bytes
    this.etag = etag
  }
}

/** Stands for the site, the begin of absolute URIs, in kept texts. No text of the database has it, because nobody knows it. */
export const anySite = `https://${randomUUID()}.invalid`

/** Options of {@link createKeptList}. */
export interface KeptListOptions<T> {
  readonly kept: Kept<T>
  /** Write an object as JSON. */
  readonly write: (object: T) => string
  /** The most bytes that are kept; default 32 Mi. */
  readonly mostBytes?: number
}

/** An object as JSON: what comes before and after the time when it was last seen. */
interface Entry {
  readonly version: string
  readonly before: Buffer
  /** As JSON; null: the object has no such time. */
  readonly lastSeenOn: string | null
  readonly after: Buffer
  readonly etag: string
}

/** The objects that are read in one query. */
const readAtOnce = 500

/**
 * Write lists from texts of their objects that are kept in memory. The database tells the version of each object, and only those with another version are read. So
 * a list of thousands costs little while few of them change, and it shows what the database has at that moment.
 */
export function createKeptList<T>({
  kept,
  write,
  mostBytes = 32 * 1024 * 1024,
}: KeptListOptions<T>): (page: Page) => Promise<WrittenList> {
  const entries = new Map<string, Entry>()
  let bytes = 0

  function forget(id: string): void {
    const entry = entries.get(id)
    if (entry === undefined) return
    entries.delete(id)
    bytes -= entry.before.length + entry.after.length
  }

  function keep(id: string, entry: Entry): void {
    forget(id)
    entries.set(id, entry)
    bytes += entry.before.length + entry.after.length
    // A map keeps the order of insertion, so what was read first is forgotten first.
    for (const oldest of entries.keys()) {
      if (bytes <= mostBytes || oldest === id) break
      forget(oldest)
    }
  }

  /** Find the text of each object, in order. Those that were removed meanwhile are left out. */
  async function findEntries(
    versions: readonly Version[],
  ): Promise<readonly (readonly [string, Entry])[]> {
    const found = new Map<string, Entry>()
    for (const { id, version } of versions) {
      const entry = entries.get(id)
      if (entry?.version === version) found.set(id, entry)
    }
    const missing = versions.filter(({ id }) => !found.has(id))
    for (let from = 0; from < missing.length; from += readAtOnce) {
      const part = missing.slice(from, from + readAtOnce)
      const versionOf = new Map(part.map(({ id, version }) => [id, version]))
      for (const object of await kept.read([...versionOf.keys()])) {
        const id = kept.idOf(object)
        // The object may be newer than its version. Then its next version is another one, and it is read again.
        const entry = divide(write(object), versionOf.get(id) ?? '')
        keep(id, entry)
        found.set(id, entry)
      }
    }
    return versions.flatMap(({ id }) => {
      const entry = found.get(id)
      return entry === undefined ? [] : [[id, entry] as const]
    })
  }

  return async (page) => {
    const found = await findEntries(await kept.versions(page))
    const hash = createHash('sha256')
    const parts: Buffer[] = [opening]
    for (const [index, [id, { before, after, lastSeenOn, etag }]] of found.entries()) {
      hash.update(etag)
      if (index > 0) parts.push(comma)
      parts.push(before)
      if (lastSeenOn === null) continue
      parts.push(Buffer.from(latest(lastSeenOn, kept.lastSeenMs?.(id) ?? null)), after)
    }
    parts.push(closing)
    const etag = `W/"${hash.digest('base64url').slice(0, 22)}"`
    return new WrittenList(Buffer.concat(parts), etag)
  }
}

const opening = Buffer.from('[')
const comma = Buffer.from(',')
const closing = Buffer.from(']')

const lastSeenMember = '"last_seen_on":'

/** Divide a text at the time when the object was last seen. It is the last member of that name: a property that people named so comes before. */
function divide(text: string, version: string): Entry {
  // The site is no part of it: it is another one at each start of the server.
  const etag = etagOfText(text.replaceAll(anySite, ''))
  const at = text.lastIndexOf(lastSeenMember)
  const from = at + lastSeenMember.length
  const length = at < 0 ? -1 : text.slice(from).search(/[,}]/u)
  const [before, lastSeenOn, after] =
    length < 0
      ? [text, null, '']
      : [text.slice(0, from), text.slice(from, from + length), text.slice(from + length)]
  return { version, before: Buffer.from(before), lastSeenOn, after: Buffer.from(after), etag }
}

/** Return the later of two times, as JSON: that of the text, and one in milliseconds since the epoch. */
function latest(lastSeenOn: string, seenMs: number | null): string {
  if (seenMs === null) return lastSeenOn
  const seen = JSON.stringify(new Date(seenMs).toISOString())
  return lastSeenOn === 'null' || lastSeenOn < seen ? seen : lastSeenOn
}

/** Put a site into texts that have {@link anySite} in its place. */
export function putSite(bytes: Buffer, site: string): Buffer {
  const [sought, replacement] = [Buffer.from(anySite), Buffer.from(site)]
  const parts: Buffer[] = []
  let from = 0
  for (let at = bytes.indexOf(sought); at >= 0; at = bytes.indexOf(sought, from)) {
    parts.push(bytes.subarray(from, at), replacement)
    from = at + sought.length
  }
  parts.push(bytes.subarray(from))
  return Buffer.concat(parts)
}
