import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { blockVersion, readBlockHead, blockFrameHeadBytes } from '@community-lab/contract'
import { WebSocketServer, type WebSocket } from 'ws'

// The server's end of a node's stream: it acknowledges what came, as after a commit, and counts it.

const commitEveryMs = 50
const [keyPath = '', certificatePath = ''] = process.argv.slice(2)
const server = createServer({ key: readFileSync(keyPath), cert: readFileSync(certificatePath) })
let committed = 0
let bytes = 0

function serve(socket: WebSocket): void {
  let spool = ''
  let received = 0
  const say = (frame: object): void => socket.send(JSON.stringify(frame))
  const acknowledging = setInterval(() => {
    if (received === committed) return
    committed = received
    say({ type: 'ack', spool, committed_seq: committed })
  }, commitEveryMs)
  socket.on('close', () => clearInterval(acknowledging))
  socket.on('message', (data: Buffer, isBinary) => {
    bytes += data.length
    if (isBinary) {
      const { rows } = readBlockHead(data.subarray(blockFrameHeadBytes)) ?? { rows: 0 }
      received = data.readDoubleLE(8) + rows - 1
      return
    }
    const frame = JSON.parse(data.toString()) as { readonly type: string; readonly spool: string }
    if (frame.type !== 'hello') return
    spool = frame.spool
    say({ type: 'welcome', spool, committed_seq: committed, blocks: blockVersion })
  })
}

new WebSocketServer({ server, perMessageDeflate: false }).on('connection', serve)
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.on('message', () => process.send?.({ committed, bytes }))
process.on('disconnect', () => process.exit(0))
