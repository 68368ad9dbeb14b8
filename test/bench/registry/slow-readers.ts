import { once } from 'node:events'
import { request, type ClientRequest, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { acceptOf, routes } from '@community-lab/contract'
import type { ServerProcess } from '../../support/server-process.ts'
import { printTable } from '../table.ts'

/** Print the server's memory while readers of all slivers take nothing of the answer. */
export async function printSlowReaders(server: ServerProcess): Promise<void> {
  const rows: string[][] = []
  for (const [who, accept] of [
    ['own clients', acceptOf()],
    ['CONFINE’s clients', 'application/json'],
  ] as const)
    for (const count of [10, 100]) {
      const before = await server.readResidentMiB()
      await server.forgetPeak()
      const calls = await Promise.all(
        Array.from({ length: count }, () => openSlow(server.socketPath, accept)),
      )
      await delay(1_000)
      const held = await server.readResidentMiB()
      const peak = await server.readPeakMiB()
      for (const call of calls) call.destroy()
      await delay(1_000)
      rows.push([
        `${count} readers of all slivers, ${who}`,
        ...[before, held, peak].map((mib) => `${mib.toFixed(0)} MiB`),
      ])
    }
  printTable(['who take nothing of the answer', 'before', 'meanwhile', 'peak'], rows)
}

async function openSlow(socketPath: string, accept: string): Promise<ClientRequest> {
  const call = request({ socketPath, path: routes.slivers, headers: { accept } })
  call.on('error', () => undefined)
  call.end()
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  response.on('error', () => undefined).pause()
  return call
}
