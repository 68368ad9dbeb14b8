import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { acceptOf } from '@community-lab/contract'
import { spawnOrdinary } from '../../../support/postgres-user.ts'
import { environmentOf, serverSettings } from '../../../support/server-settings.ts'

/** A server process that is ready. */
export interface ServerProcess {
  readonly port: number
  ask(method: string, path: string, body?: object): Promise<{ status: number; body: unknown }>
  /** End it. Returns its exit code, or the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<unknown>
}

/** The program, as it is in the sources. */
export const program = 'server/src/main.ts'

/** Return the environment of a server with its files in a folder. `databaseUrl` null: it runs PostgreSQL itself. */
export function environment(
  dir: string,
  databaseUrl: string | null,
  more: Readonly<Record<string, string>> = {},
): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl }),
    ...environmentOf({ ...serverSettings(dir), ...more }),
  }
}

/** Start it, and wait until it answers. */
export async function startServer(
  dir: string,
  databaseUrl: string | null,
  more: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const started = await spawnOrdinary(program, [], environment(dir, databaseUrl, more))
  const { child } = started
  if (child.stdout === null || child.stderr === null) throw new Error('no pipes')
  const lines: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line))
  const port = Promise.withResolvers<number>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const entry = JSON.parse(line) as { msg: string; port: number }
    if (entry.msg === 'ready') port.resolve(entry.port)
  })
  const exit = once(child, 'exit')
  const failed = exit.then(() => Promise.reject(new Error(`it ended: ${lines.join('\n')}`)))
  // After it was ready, the process may end.
  failed.catch(() => undefined)
  const ready = await Promise.race([port.promise, failed])
  const token = (await readFile(join(dir, 'token'), 'utf8')).trim()
  return {
    port: ready,
    async ask(method, path, body) {
      const call = request({
        socketPath: join(dir, 'server.sock'),
        method,
        path,
        headers: {
          accept: acceptOf(),
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
      })
      call.end(body === undefined ? undefined : JSON.stringify(body))
      const [response] = (await once(call, 'response')) as [IncomingMessage]
      const answer = await text(response)
      const status = response.statusCode ?? 0
      return { status, body: answer === '' ? null : (JSON.parse(answer) as unknown) }
    },
    async end(signal) {
      child.kill(signal)
      const [code, by] = (await exit) as [number | null, string | null]
      await started[Symbol.asyncDispose]()
      return by ?? code
    },
  }
}
