import { readFileSync } from 'node:fs'

/** A request to CONFINE's own controller 1.0.2 and its answer, as recorded. `{base}` and `{site}` stand for the places of its API. */
export interface Exchange {
  readonly name: string
  /** The user whose token is sent; `anonymous`: none. */
  readonly as: string
  readonly request: {
    readonly method: string
    readonly path: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: unknown
  }
  readonly response: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body?: unknown
  }
  /** Why its answer is wrong, if it is. */
  readonly bug?: string
}

const folder = new URL('../../../fixtures/confine/', import.meta.url)

/** Read all exchanges, in the order in which they were recorded. */
export function readExchanges(): Exchange[] {
  const lines = readFileSync(new URL('exchanges.jsonl', folder), 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Exchange)
}

/** The keys that stand in the exchanges by name. */
export const keys = JSON.parse(readFileSync(new URL('keys.json', folder), 'utf8')) as Readonly<
  Record<string, string>
>

/** An answer of the server under test. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

/** Return how an answer differs from the recorded one, in its status, media type, methods, relations and members; values are not compared. */
export function compare({ response }: Exchange, answer: Answer): string[] {
  const { status, headers, body } = response
  if (status !== answer.status) return [`status ${answer.status}, not ${status}`]
  return [
    ...compareType(headers['Content-Type'], answer.headers.get('content-type')),
    ...compareSets('method', methodsOf(headers['Allow']), methodsOf(answer.headers.get('allow'))),
    ...compareSets(
      'relation',
      relationsOf(headers['Link']),
      relationsOf(answer.headers.get('link')),
    ),
    ...('Location' in headers && answer.headers.get('location') === null ? ['no Location'] : []),
    ...compareMembers(body, answer.body, ''),
  ]
}

function compareType(recorded = '', ours: string | null): string[] {
  if (recorded.startsWith('text/html') || recorded === '') return []
  return recorded === ours ? [] : [`type ${String(ours)}, not ${recorded}`]
}

function methodsOf(allow: string | null | undefined): readonly string[] {
  return (allow ?? '').split(', ').filter((method) => method !== '')
}

function relationsOf(link: string | null | undefined): readonly string[] {
  return [...(link ?? '').matchAll(/rel="([^"]+)"/gu)].map(([, relation]) => relation ?? '')
}

function compareSets(kind: string, recorded: readonly string[], ours: readonly string[]): string[] {
  return recorded.filter((one) => !ours.includes(one)).map((one) => `no ${kind} ${one}`)
}

function compareMembers(recorded: unknown, ours: unknown, at: string): string[] {
  if (Array.isArray(recorded)) {
    if (!Array.isArray(ours)) return [`no list ${at}`]
    const [first] = recorded as unknown[]
    const [own] = ours as unknown[]
    return first === undefined || own === undefined ? [] : compareMembers(first, own, `${at}/_`)
  }
  if (typeof recorded !== 'object' || recorded === null) return []
  if (typeof ours !== 'object' || ours === null) return [`no object ${at}`]
  return Object.entries(recorded).flatMap(([name, value]) =>
    Object.hasOwn(ours, name)
      ? compareMembers(value, (ours as Record<string, unknown>)[name], `${at}/${name}`)
      : [`no member ${at}/${name}`],
  )
}
