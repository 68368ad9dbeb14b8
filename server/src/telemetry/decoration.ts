import 'fastify'
import type { TelemetryStore } from './store.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The store of samples; `app.telemetry.health()` is its part of `GET /health`. */
    readonly telemetry: TelemetryStore
  }
}
