import { connect, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { expect, it } from 'vitest'
import { channels, openNotifications } from '../../../../server/src/postgres/notifications.ts'
import { eventually } from '../../../support/eventually.ts'
import { startPostgres } from '../../../support/postgres.ts'

/** A way to PostgreSQL on which connections can go silent, as behind a router that has forgotten them: nothing passes, and nobody is told. */
async function startRelay(url: string) {
  const folder = await mkdtemp(join(tmpdir(), 'cl-relay-'))
  const target = join(
    new URL(url.replace('@/', '@x/')).searchParams.get('host') ?? '',
    '.s.PGSQL.5432',
  )
  const pairs: (readonly [Socket, Socket])[] = []
  const server = createServer((near) => {
    const far = connect(target)
    for (const socket of [near, far]) socket.on('error', () => undefined)
    near.pipe(far)
    far.pipe(near)
    pairs.push([near, far])
  })
  server.listen(join(folder, '.s.PGSQL.5432'))
  await once(server, 'listening')
  return {
    folder,
    silence() {
      for (const [near, far] of pairs) {
        near.unpipe(far)
        far.unpipe(near)
      }
    },
    async [Symbol.asyncDispose]() {
      for (const pair of pairs) for (const socket of pair) socket.destroy()
      server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

it('a connection that has gone silent is noticed, and notifications come again over another', async () => {
  await using postgres = await startPostgres()
  await using relay = await startRelay(postgres.url)
  const settings = { user: 'community_lab', database: 'postgres' }
  const errors: unknown[] = []
  await using notifications = await openNotifications({
    database: {
      async connect({ queryTimeoutMs }) {
        const host = relay.folder
        const client = new pg.Client({ ...settings, host, query_timeout: queryTimeoutMs })
        client.on('error', (error) => errors.push(error))
        await client.connect()
        return client
      },
    },
    onError: (error) => errors.push(error),
    heartbeatMs: 200,
  })
  const heard: (string | null)[] = []
  notifications.on(channels.event, (message) => heard.push(message))
  const host = new URL(postgres.url.replace('@/', '@x/')).searchParams.get('host') ?? ''
  const teller = new pg.Client({ ...settings, host })
  await teller.connect()
  const tell = (message: string) => teller.query(`notify ${channels.event}, '${message}'`)
  // On a slow machine the connection may be found silent at any time. Then it is replaced, and what is sent meanwhile is missed. So each message is sent until it arrives.
  const heardFrom = (from: number, message: string | null) =>
    eventually(async () => {
      if (message !== null) await tell(message)
      expect(heard.slice(from)).toContain(message)
    })
  await heardFrom(0, '1')
  relay.silence()
  const silentFrom = heard.length
  await tell('2')
  // Some may have been missed: whoever listens gets null.
  await heardFrom(silentFrom, null)
  await heardFrom(silentFrom, '3')
  expect(errors).not.toEqual([])
  await teller.end()
})
