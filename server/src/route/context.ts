import type { FastifyRequest } from 'fastify'
import type { EventFeed } from '../events/feed.ts'
import { readId } from '../http/id.ts'
import type { DataFiles } from '../registry/data-files.ts'
import type { FirstContact } from '../registry/write/enrollment.ts'
import type { Registry } from '../registry/registry.ts'
import type { RegistryStore } from '../registry/store.ts'
import type { Blobs } from '../upload/blobs.ts'
import type { Uploads } from '../upload/uploads.ts'

/** What the routes need. */
export interface RouteContext {
  readonly registry: Registry & RegistryStore
  readonly feed: EventFeed
  readonly mgmtPrefix: string
  /** The server's HTTPS port, which nodes use over the management network. */
  readonly httpsPort: number
  readonly contact: FirstContact
  /** The images of templates. */
  readonly images: Blobs
  readonly uploads: Uploads
  readonly dataFiles: DataFiles
  readonly version: string
}

/** A request for one object. */
export type ById = FastifyRequest<{ Params: { id: string } }>

/** Return the path of a route in Fastify's syntax. */
export function pattern(route: string): string {
  return route.replaceAll(/\{(\w+)\}/gu, ':$1')
}

/** Return the id in the path of a request. @throws {@link LabError} LAB_NOT_FOUND when it cannot be an id. */
export function numericId(
  request: { readonly params: { readonly id: string } },
  kind: string,
): number {
  return readId(request.params.id, kind)
}

/** Return the condition of a change; null: none. */
export function ifMatchOf(request: FastifyRequest): string | null {
  return request.headers['if-match'] ?? null
}
