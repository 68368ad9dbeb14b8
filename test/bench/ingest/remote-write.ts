import { Agent, request } from 'node:http'
import { fieldName, timeMs, valueAt, type Job } from './job.ts'

/**
 * Send a job by Prometheus remote write: each node has a connection, and sends its next request when the previous one is answered. Source: the remote write
 * specification 1.0 (protobuf `WriteRequest` in a Snappy block). The block has literals only, which costs the receiver least.
 */
export async function remoteWrite(port: number, job: Job, startMs: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: job.nodes })
  try {
    await Promise.all(
      Array.from({ length: job.nodes }, async (_, node) => {
        for (let batch = 0; batch < job.batchesPerNode; batch++)
          await post(agent, port, snappy(writeRequest(job, { node, batch, startMs })))
      }),
    )
  } finally {
    agent.destroy()
  }
}

function post(agent: Agent, port: number, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        agent,
        port,
        host: '127.0.0.1',
        method: 'POST',
        path: '/api/v1/write',
        headers: {
          'content-encoding': 'snappy',
          'content-type': 'application/x-protobuf',
          'x-prometheus-remote-write-version': '0.1.0',
          'content-length': body.length,
        },
      },
      (answer) => {
        answer.resume()
        answer.on('end', () => {
          if (answer.statusCode === 204) resolve()
          else reject(new Error(`remote write was answered with ${answer.statusCode}`))
        })
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

function writeRequest(
  job: Job,
  { node, batch, startMs }: { readonly node: number; readonly batch: number; startMs: number },
): Buffer {
  const series = Array.from({ length: job.fields }, (_, field) => {
    const labels = [
      ['__name__', `cpu_${fieldName(field)}`],
      ['node', `n${node + 1}`],
    ].map(([name = '', value = '']) => tagged(1, Buffer.concat([text(1, name), text(2, value)])))
    const samples = Array.from({ length: job.rows }, (__, at) => {
      const row = batch * job.rows + at
      return tagged(2, sample(valueAt(node, row, field), timeMs(job, startMs, row)))
    })
    return tagged(1, Buffer.concat([...labels, ...samples]))
  })
  return Buffer.concat(series)
}

function sample(value: number, atMs: number): Buffer {
  const bytes = Buffer.alloc(10)
  bytes[0] = 0x09
  bytes.writeDoubleLE(value, 1)
  bytes[9] = 0x10
  return Buffer.concat([bytes, varint(atMs)])
}

function text(field: number, value: string): Buffer {
  return tagged(field, Buffer.from(value))
}

function tagged(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

function snappy(bytes: Buffer): Buffer {
  const parts = [varint(bytes.length)]
  for (let at = 0; at < bytes.length; at += 65_536) {
    const part = bytes.subarray(at, at + 65_536)
    const length = part.length - 1
    parts.push(Buffer.from([61 << 2, length & 255, length >> 8]), part)
  }
  return Buffer.concat(parts)
}
