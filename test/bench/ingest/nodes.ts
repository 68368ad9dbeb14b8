import { randomUUID } from 'node:crypto'
import {
  blockFrame,
  ServerFrame,
  type AgentFrame,
  writeBlocks,
  type UnnumberedSample,
} from '@community-lab/contract'
import { Value } from 'typebox/value'
import { openNodeStream } from '../node-stream.ts'
import { fieldName, timeMs, valueAt, type Job } from './job.ts'

/** The most batches of one node that are sent and not acknowledged. With 500 samples each it is half of what an agent sends. */
const mostUnacked = 20

/** Send a job as nodes do, until all of it is acknowledged, which is after its commit. */
export async function sendAsNodes(port: number, job: Job, startMs: number): Promise<void> {
  await Promise.all(
    Array.from({ length: job.nodes }, (_, node) => sendAsNode(port, job, { node, startMs })),
  )
}

async function sendAsNode(
  port: number,
  job: Job,
  { node, startMs }: { readonly node: number; readonly startMs: number },
): Promise<void> {
  const spool = randomUUID()
  const id = node + 1
  const socket = await openNodeStream(port, id)
  const done = Promise.withResolvers<undefined>()
  const lastSeq = job.batchesPerNode * job.rows
  let sent = 0
  let ackedSeq = 0

  function sendOn(): void {
    for (; sent < job.batchesPerNode && sent - ackedSeq / job.rows < mostUnacked; sent++) {
      const { shapes, blocks } = writeBlocks(samplesOf(job, { node, batch: sent, startMs }))
      if (sent === 0)
        for (const [number, shape] of shapes.entries())
          send({ type: 'shape', number, ...shape, fields: shape.fields.map(([...field]) => field) })
      for (const block of blocks) socket.send(blockFrame(sent * job.rows + 1, block))
    }
  }
  function send(frame: AgentFrame): void {
    socket.send(JSON.stringify(frame))
  }

  socket.on('message', (data: Buffer) => {
    const frame: unknown = JSON.parse(data.toString())
    if (!Value.Check(ServerFrame, frame)) done.reject(new Error(`no frame: ${data.toString()}`))
    else if (frame.type === 'welcome') sendOn()
    else if (frame.type === 'ack') {
      ackedSeq = frame.committed_seq
      if (ackedSeq === lastSeq) done.resolve(undefined)
      else sendOn()
    }
  })
  socket.on('close', (code, reason) =>
    done.reject(new Error(`the stream has ended: ${code} ${reason.toString()}`)),
  )
  send({ type: 'hello', spool, first_seq: 1, soft_version: 'bench' })
  await done.promise
  socket.close()
}

function samplesOf(
  job: Job,
  { node, batch, startMs }: { readonly node: number; readonly batch: number; startMs: number },
): UnnumberedSample[] {
  return Array.from({ length: job.rows }, (_, at) => {
    const row = batch * job.rows + at
    const fields: Record<string, number> = {}
    for (let field = 0; field < job.fields; field++)
      fields[fieldName(field)] = valueAt(node, row, field)
    const time_us = timeMs(job, startMs, row) * 1_000
    return { time_us, source: `3@${node + 1}`, name: 'load', fields }
  })
}
