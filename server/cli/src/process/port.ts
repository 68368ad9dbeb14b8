import { once } from 'node:events'
import { createServer } from 'node:net'
import { LabError } from '@community-lab/contract'
import type { Context } from '../context.ts'

/** A port that will be used: its purpose, and the option that chooses another port. */
export interface WantedPort {
  readonly port: number
  readonly what: string
  readonly option: string
}

/** Which port the server may have. */
export interface PortChoice {
  /** The port that a person asks for. */
  readonly asked: number | undefined
  readonly usual?: number
  /** The ports of other programs that start with it. */
  readonly others?: readonly WantedPort[]
}

/**
 * Choose the server's port: the one that is asked for, or the usual one. When the usual one is in use, another is taken, and a sentence says so. The `others` are
 * checked, too.
 *
 * @throws {@link LabError} LAB_PORT_IN_USE.
 */
export async function choosePort(
  { err }: Pick<Context, 'err'>,
  { asked, usual = 8080, others = [] }: PortChoice,
): Promise<number> {
  const isTaken = others.some(({ port }) => port === usual)
  const isUsual = asked === undefined && !isTaken && (await isFree(usual))
  const port = asked ?? (isUsual ? usual : await findFreePort())
  await requireFreePorts([{ port, what: 'the server', option: '--port' }, ...others])
  if (asked === undefined && !isUsual)
    err.write(`port ${usual} is in use: the server gets port ${port} (--port chooses another)\n`)
  return port
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const address = server.address()
  const closed = once(server, 'close')
  server.close()
  await closed
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Check, before anything starts, that ports of 127.0.0.1 are free and different. @throws {@link LabError} LAB_PORT_IN_USE. */
async function requireFreePorts(wanted: readonly WantedPort[]): Promise<void> {
  const seen = new Set<number>()
  for (const each of wanted) {
    if (seen.has(each.port) || !(await isFree(each.port)))
      throw new LabError('LAB_PORT_IN_USE', { ...each })
    seen.add(each.port)
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.on('error', (error) => {
      const code = 'code' in error ? error.code : null
      if (code === 'EADDRINUSE' || code === 'EACCES') resolve(false)
      else reject(error)
    })
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true))
    })
  })
}
