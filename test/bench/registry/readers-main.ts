import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { acceptOf, routes } from '@community-lab/contract'
import type { ReadersAsk, ReadersTold } from './readers.ts'

// Readers of events, in a process of their own: see readers.ts for what it is asked and what it tells.

const atNs: (readonly [number, string])[] = []

function tell(message: ReadersTold): void {
  process.send?.(message)
}

/** Connect one reader. Only the numbers of changes are read from what it gets, so that many readers take little CPU time. */
async function connect(socketPath: string): Promise<void> {
  const headers = { accept: acceptOf('text/event-stream') }
  const call = request({ socketPath, path: routes.events, headers })
  call.end()
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  let rest = ''
  response.setEncoding('utf8').on('data', (text: string) => {
    const events = (rest + text).split('\n\n')
    rest = events.pop() ?? ''
    const now = String(process.hrtime.bigint())
    for (const event of events) {
      const change = /"description":"change (\d+)"/u.exec(event)?.[1]
      if (change !== undefined) atNs.push([Number(change), now])
    }
  })
}

process.on('disconnect', () => process.exit(1))
process.on('message', (ask: ReadersAsk) => {
  if (ask.do === 'tell') {
    tell({ what: 'changes', atNs: atNs.splice(0) })
    return
  }
  void Promise.all(Array.from({ length: ask.count }, () => connect(ask.socketPath))).then(() =>
    tell({ what: 'connected' }),
  )
})
