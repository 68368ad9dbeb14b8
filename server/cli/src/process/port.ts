import { createServer } from 'node:net'
import { LabError } from '@community-lab/contract'

/** A port that will be used: its purpose, and the option that chooses another port. */
export interface WantedPort {
  readonly port: number
  readonly what: string
  readonly option: string
}

/** Check, before anything starts, that ports of 127.0.0.1 are free and different. @throws {@link LabError} LAB_PORT_IN_USE. */
export async function requireFreePorts(wanted: readonly WantedPort[]): Promise<void> {
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
