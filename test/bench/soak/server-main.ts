import process from 'node:process'
import { startApp } from '../../integration/server/telemetry/app.ts'

// The server's stream and store, which seals what is over every two seconds, because hours pass quickly, and keeps little.

const [dir = ''] = process.argv.slice(2)
const app = await startApp(dir, {
  telemetry: {
    ...{ commitDelayMs: 50, minFreeMiB: 16, compactEveryMs: 2_000 },
    quota: { rowsPerHour: 1e9, bytesPerHour: 1e12 },
    keep: { sliceBytes: 256 * 1024 },
  },
  nodeRate: { bytesPerHour: 1e12, burstBytes: 1e12 },
})
process.on('disconnect', () => void app[Symbol.asyncDispose]().then(() => process.exit(0)))
process.send?.({ port: app.port })
