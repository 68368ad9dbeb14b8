import 'fastify'
import type { TelemetryStore } from './store.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The store of samples. `GET /health` contains `app.telemetry.health()`. */
    readonly telemetry: TelemetryStore
  }
}
