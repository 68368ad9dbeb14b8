import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { streamSubprotocol, type ServerFrame } from '@community-lab/contract'
import { expect, it } from 'vitest'
import WebSocket from 'ws'
import { makeFolder, spool } from '../telemetry/world.ts'

const nodes = 1_000
const batches = 4
const recordsInBatch = 32
const mebibyte = 1024 * 1024

/** A batch of an eighth of a MiB: 32 long lines, as a spool has many of after an outage. */
function frameOf(batch: number): string {
  const records = Array.from({ length: recordsInBatch }, (_, index) => ({
    seq: batch * recordsInBatch + index + 1,
    time_us: 1_000,
    source: 'node',
    name: 'log',
    fields: { text: 'x'.repeat(4_000) },
  }))
  return JSON.stringify({ type: 'batch', spool, records })
}

/** A node that was away. */
interface Returning {
  /** Send batches at once, from a first one on; settles when all are acknowledged. */
  send(frames: readonly string[]): Promise<void>
  leave(): void
}

/** Send each when the socket has taken the one before, as an agent does. */
async function sendInTurn(socket: WebSocket, frames: readonly string[]): Promise<void> {
  for (const frame of frames)
    await new Promise<void>((resolve, reject) => {
      socket.send(frame, (error) => (error instanceof Error ? reject(error) : resolve()))
    })
}

async function comeBack(port: number, nodeId: number): Promise<Returning> {
  const url = `ws://127.0.0.1:${port}/api/nodes/${nodeId}/ctl/stream`
  const headers = { authorization: `Bearer node${nodeId}` }
  const socket = new WebSocket(url, streamSubprotocol, { headers, perMessageDeflate: false })
  await once(socket, 'open')
  const welcomed = once(socket, 'message')
  socket.send(JSON.stringify({ type: 'hello', spool, first_seq: 1, soft_version: '1' }))
  await welcomed
  return {
    send: (frames) =>
      new Promise((resolve, reject) => {
        socket.on('close', (code) => reject(new Error(`node ${nodeId}: closed with ${code}`)))
        let left = frames.length
        socket.on('message', (data: Buffer) => {
          const frame = JSON.parse(data.toString()) as ServerFrame
          if (frame.type === 'ack' && --left === 0) resolve()
        })
        sendInTurn(socket, frames).catch(reject)
      }),
    leave() {
      socket.removeAllListeners('close')
      socket.terminate()
    },
  }
}

it(
  'a thousand nodes that come back at once with full spools do not fill the server’s memory, and all is stored',
  { timeout: 180_000 },
  async () => {
    await using folder = await makeFolder()
    const program = join(import.meta.dirname, 'flood-child.ts')
    const child = spawn(process.execPath, ['--max-old-space-size=256', program, folder.dir], {
      // One arena for all threads: what a thread has freed does not stay its own.
      env: { ...process.env, MALLOC_ARENA_MAX: '1' },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const nextNumber = async (): Promise<number> => Number((await lines.next()).value)
    const port = await nextNumber()
    const ask = (): Promise<number> => {
      child.stdin.write('\n')
      return nextNumber()
    }
    const frames = Array.from({ length: batches }, (_, batch) => frameOf(batch))
    const all: Returning[] = []
    // Some at a time: nodes come back with jitter.
    for (let id = 1; id <= nodes; id += 50)
      all.push(
        ...(await Promise.all(
          Array.from({ length: 50 }, (_, index) => comeBack(port, id + index)),
        )),
      )
    await ask()
    await Promise.all(all.map((node) => node.send(frames)))
    const most = await ask()
    expect(nodes * frames.join('').length).toBeGreaterThan(480 * mebibyte)
    // Without a bound it had 1.4 GiB when the first streams broke.
    expect(most / mebibyte).toBeLessThan(1024)
    for (const node of all) node.leave()
    child.stdin.end()
    await once(child, 'exit')
  },
)
