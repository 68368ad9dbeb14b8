import process from 'node:process'
import { startApp } from '../../integration/server/telemetry/app.ts'

// The server's stream and store in a process of their own, without PostgreSQL and TLS, which take no part in storing a sample.

const [dir = ''] = process.argv.slice(2)
const app = await startApp(dir, {
  telemetry: { commitDelayMs: 50, minFreeMiB: 16, quota: { rowsPerHour: 1e9, bytesPerHour: 1e12 } },
  nodeRate: { bytesPerHour: 1e12, burstBytes: 1e12 },
})
process.on('disconnect', () => void app[Symbol.asyncDispose]().then(() => process.exit(0)))
process.send?.({ port: app.port })
