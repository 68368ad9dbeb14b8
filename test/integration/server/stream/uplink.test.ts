import { once } from 'node:events'
import { cp, rm } from 'node:fs/promises'
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

/** Send what is in a spool to the server at a port. The returned function ends that. */
function uplinkOf(spool: Spool, port: () => number): () => Promise<void> {
  const uplink = createUplink({
    spool,
    softVersion: '1',
    async openStream(signal) {
      const socket = new WebSocket(
        `ws://127.0.0.1:${port()}/api/nodes/1/ctl/stream`,
        streamSubprotocol,
        { headers: { authorization: 'Bearer node1' } },
      )
      // It may be given up before it fails.
      socket.on('error', () => undefined)
      await once(socket, 'open', { signal })
      return socket
    },
    onChanged: () => undefined,
    signal: new AbortController().signal,
  })
  return () => uplink.close()
}

it('an agent’s samples are all stored once, though its server was away for a while', async () => {
  await using folder = await makeFolder()
  const dir = join(folder.dir, 'server')
  const spool = await openSpool(join(folder.dir, 'spool'))
  let port = 0
  const close = uplinkOf(spool, () => port)
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
  await close()
  await spool.close()
  const rows = await readAll(server.app.telemetry, 'count')
  expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 900 }, (_, index) => index + 1))
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map(({ n }) => n))
})

it('a server that was restored from a backup gets again what the node still has, once, and tells how much the node has no longer', async () => {
  await using folder = await makeFolder()
  const dir = join(folder.dir, 'server')
  const backup = join(folder.dir, 'backup')
  // Its segments have 8 KiB, so it lets go of most of them, and not of the last.
  const spool = await openSpool(join(folder.dir, 'spool'), { maxBytes: 64 * 1024, syncGapMs: 1 })
  const serve = async (to: number): Promise<void> => {
    await using server = await startApp(dir)
    const close = uplinkOf(spool, () => server.port)
    while (spool.lastSeq < to) {
      append(spool, spool.lastSeq + 1, spool.lastSeq + 100)
      await drained(spool)
    }
    // The spool has let go of all that when it has just begun a segment.
    while (spool.keptSeq > spool.lastSeq) {
      append(spool, spool.lastSeq + 1, spool.lastSeq + 1)
      await drained(spool)
    }
    await close()
  }
  await serve(300)
  const before = spool.lastSeq
  await cp(dir, backup, { recursive: true })
  await serve(1000)
  const kept = spool.keptSeq
  expect(kept).toBeGreaterThan(before + 1)
  await rm(dir, { recursive: true })
  await cp(backup, dir, { recursive: true })
  await serve(1100)
  await spool.close()
  await using server = await startApp(dir)
  const { telemetry } = server.app
  const values = (await readAll(telemetry, 'count')).map(({ n }) => Number(n))
  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, at) => from + at)
  expect(values).toEqual([...numbers(1, before), ...numbers(kept, spool.lastSeq)])
  expect(await readAll(telemetry, 'dropped')).toMatchObject([
    { lines: kept - before - 1, reason: expect.stringContaining('no longer') as string },
  ])
})
