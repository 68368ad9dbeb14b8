import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LabError } from '@community-lab/contract/error'
import type { Compiler } from './compile/compiler.ts'
import { Kernel } from './kernel.ts'
import { readConnection } from './wire/connection.ts'
import { openSockets, type Sockets } from './wire/sockets.ts'

/** The interval of checks whether the process that started the kernel still exists, in milliseconds. */
const parentCheckMs = 1000
const checkout = fileURLToPath(new URL('../../../', import.meta.url))

/** Serve the sockets of the connection file until a shutdown request, or until the process that started this one has ended. */
export async function serve(compiler: Compiler): Promise<void> {
  const { values } = parseArgs({ options: { 'connection-file': { type: 'string' } } })
  const file = values['connection-file']
  if (file === undefined)
    throw new LabError('LAB_CONFIG_MISSING', {
      variable: '--connection-file',
      meaning: 'the file in which Jupyter says where it wants the sockets',
    })
  const connection = readConnection(file)
  const opened = Promise.withResolvers<undefined>()
  let sockets: Sockets | null = null
  const home = process.env['COMMUNITY_LAB_HOME'] ?? join(checkout, '.community-lab')
  const kernel = new Kernel({
    folder: process.cwd(),
    logFolder: join(home, 'logs'),
    compiler,
    sockets() {
      if (sockets === null) throw new LabError('LAB_INTERNAL', { what: 'no sockets yet' })
      return sockets
    },
    onShutdown: () => void end(),
  })
  const end = async (): Promise<void> => {
    await kernel.stop()
    await sockets?.close()
    process.exit()
  }
  sockets = await openSockets({
    connection,
    onMessage: (channel, message) =>
      void opened.promise.then(() => kernel.take(channel, message)).catch(fail),
  })
  opened.resolve(undefined)
  kernel.start()
  process.on('SIGINT', () => kernel.interrupt())
  process.on('SIGTERM', () => void end())
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) void end()
  }, parentCheckMs).unref()
}

/** Report why the kernel cannot serve. */
export function fail(error: unknown): void {
  console.error(LabError.is(error) ? `${error.code}: ${error.message}` : error)
  process.exitCode = 1
}
