import { Readable } from 'node:stream'

/** Return the body of a request that is read while it comes. A request without a body has an empty one, which its reader refuses as it refuses any wrong one. */
export function bodyStream(body: unknown): Readable {
  return body instanceof Readable ? body : Readable.from([])
}
