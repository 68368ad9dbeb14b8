import 'fastify'
import type { Principal } from './access/principal.ts'
import type { Registry } from './registry/registry.ts'

declare module 'fastify' {
  interface FastifyInstance {
    readonly registry: Registry
  }
  interface FastifyRequest {
    /** Who asks; set by the access plugin before any route's handler runs. */
    principal: Principal
  }
}
