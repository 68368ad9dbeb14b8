import 'fastify'
import type { Principal } from './access/principal.ts'
import type { Registry } from './registry/registry.ts'

declare module 'fastify' {
  interface FastifyInstance {
    readonly registry: Registry
  }
  interface FastifyRequest {
    /** The sender of the request. The access plugin sets it before any route's handler runs. */
    principal: Principal
    /**
     * Authenticate and authorize the request again. A handler calls it after it has waited for the client and before it changes something.
     *
     * @throws LabError LAB_AUTH_INVALID_TOKEN, LAB_AUTH_FORBIDDEN.
     */
    permitAgain: () => Promise<void>
  }
}
