import { once } from 'node:events'
import { join } from 'node:path'
import { streamSubprotocol } from '@community-lab/contract'
import { expect, it } from 'vitest'
import WebSocket from 'ws'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import type { Spool } from '../../../../agent/src/measurement/spool/spool.ts'
import { createUplink } from '../../../../agent/src/measurement/uplink/uplink.ts'
import { startApp } from '../telemetry/app.ts'
import { makeFolder, readAll } from '../telemetry/world.ts'

function append(spool: Spool, from: number, to: number): void {
  for (let n = from; n <= to; n++)
    spool.append([{ time_us: n, source: 'node', name: 'count', fields: { n } }])
}

/** Wait until the server has acknowledged all that is in the spool. */
async function drained(spool: Spool): Promise<void> {
  while (spool.firstSeq <= spool.lastSeq)
    await new Promise<void>((resolve) => {
      const unsubscribe = spool.onTrim(() => {
        unsubscribe()
        resolve()
      })
    })
}

it('an agent’s samples are all stored once, though its server was away for a while', async () => {
  await using folder = await makeFolder()
  const dir = join(folder.dir, 'server')
  const spool = await openSpool(join(folder.dir, 'spool'))
  const stopping = new AbortController()
  let port = 0
  const uplink = createUplink({
    spool,
    softVersion: '1',
    async openStream(signal) {
      const socket = new WebSocket(
        `ws://127.0.0.1:${port}/api/nodes/1/ctl/stream`,
        streamSubprotocol,
        { headers: { authorization: 'Bearer node1' } },
      )
      await once(socket, 'open', { signal })
      return socket
    },
    onChanged: () => undefined,
    signal: stopping.signal,
  })
  {
    await using server = await startApp(dir)
    port = server.port
    append(spool, 1, 300)
    await drained(spool)
    append(spool, 301, 600)
    // The server ends while these samples are on their way.
  }
  append(spool, 601, 900)
  await using server = await startApp(dir)
  port = server.port
  await drained(spool)
  await uplink.close()
  await spool.close()
  const rows = await readAll(server.app.telemetry, 'count')
  expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 900 }, (_, index) => index + 1))
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map(({ n }) => n))
})
