import fp from 'fastify-plugin'
import './decoration.ts'
import { measurementRoutes } from './measurement-routes.ts'
import { createTelemetryStore, type TelemetryStoreOptions } from './store.ts'

/**
 * The store of samples as `app.telemetry`, and the routes that read it. Needs `app.registry` and `request.principal`.
 * Registering fails with LAB_TELEMETRY_UNUSABLE when the store in `dir` cannot be opened.
 */
export default fp<TelemetryStoreOptions>(
  async (app, options) => {
    const store = await createTelemetryStore({
      onTrouble: (sentence) => app.log.warn({ store: options.dir }, sentence),
      ...options,
    })
    app.decorate('telemetry', store)
    app.addHook('onClose', () => store[Symbol.asyncDispose]())
    measurementRoutes(app, { store, dir: options.dir })
  },
  { name: 'telemetry', fastify: '5.x' },
)
