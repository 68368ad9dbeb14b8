import type { IncomingMessage } from 'node:http'
import path from 'node:path'
import { ensureSshKey } from '../../../../kernel/src/credentials/ssh-key.ts'
import { takeCredentials } from '../../../../kernel/src/credentials/credentials.ts'
import { SampleDatabase } from '../../../../kernel/src/run/database.ts'
import type { Selection } from '../../../../kernel/src/run/selection.ts'
import { openSession, type Session } from '../../../../kernel/src/session.ts'
import type { FieldValue } from '@community-lab/contract'
import { startApp } from '../../server/telemetry/app.ts'
import { aSample, fromNode, makeFolder } from '../../server/telemetry/world.ts'

/** A server's real store of samples with its routes, and a session of the library connected to it. */
export interface SampleWorld extends AsyncDisposable {
  readonly url: string
  readonly session: Session
  /** The query strings of all requests for Parquet. */
  readonly fetched: string[]
  /** A folder that is removed with it. */
  readonly dir: string
  /** Add a sample of node n1 to a measurement, by default `probe`. */
  add(
    fields: Readonly<Record<string, FieldValue>>,
    time?: Date,
    name?: string,
    /** The sliver of slice 3 that it is of; default: none. */
    of?: { readonly sliver: string },
  ): Promise<void>
  /** The number of the last row. */
  lastLanded(): Promise<number>
  /** Open the database of a run of slice 3. */
  openRun(run: string, own: NonNullable<Selection['own']>): SampleDatabase
  openDatabase(tables?: Selection['tables']): SampleDatabase
}

export async function startSamples(): Promise<SampleWorld> {
  const folder = await makeFolder()
  const server = await startApp(folder.dir)
  const url = `http://127.0.0.1:${server.port}`
  const key = ensureSshKey(path.join(folder.dir, 'keys'))
  const session = openSession(takeCredentials({ url, token: 'operator' }), key)
  const fetched: string[] = []
  server.app.server.on('request', (request: IncomingMessage) => {
    const asked = new URL(request.url ?? '', url)
    if (asked.pathname.endsWith('/parquet')) fetched.push(asked.search)
  })
  let seq = 0
  return {
    url,
    session,
    fetched,
    dir: folder.dir,
    async add(fields, time = new Date(), name = 'probe', of) {
      seq++
      const timeUs = time.getTime() * 1000
      const place = of === undefined ? {} : { scope: 'slice-3', sliver: of.sliver }
      await server.app.telemetry.append(
        fromNode([aSample(seq, { name, timeUs, fields, ...place })]),
      )
    },
    async lastLanded() {
      const answers = await Promise.all(
        (await server.app.telemetry.list()).map(({ scope, name }) =>
          server.app.telemetry.rows({ scope, name, after: 0, run: null, limit: 1000 }),
        ),
      )
      return Math.max(...answers.map(({ batch }) => batch?.landed ?? 0))
    },
    openRun: (run, own) => new SampleDatabase(session, { scope: 'slice-3', run, own }),
    openDatabase: (tables = {}) => new SampleDatabase(session, { scope: 'node', tables }),
    async [Symbol.asyncDispose]() {
      await session.close()
      await server[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}
