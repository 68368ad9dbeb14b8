import { createSocket } from 'node:dgram'
import process from 'node:process'
import { LabError } from '@community-lab/contract'
import { DelayLine } from './delay-line.ts'
import { linkVni, relayAddress, underlayAddress, vxlanPort } from './commands.ts'
import { defaultShape, planTopology } from './topology.ts'

/**
 * The most packets of one direction of a link that wait here. A full link of 20 Mbit/s has far fewer, because packets beyond its rate wait in the kernel's
 * queue first.
 */
const maxPacketsPerLine = 1000
const vxlanHeaderBytes = 8

interface Direction {
  readonly line: DelayLine<Buffer>
}

/**
 * The process of the relay. Every radio packet comes here in VXLAN, waits for the delay of its link, and is sent to the other end. It exists because not
 * every kernel has netem. The one argument is the number of nodes. Prints `ready` when it can receive; ends on SIGTERM.
 */
function main(): void {
  const topology = planTopology(Number(process.argv[2]), defaultShape)
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 })
  const directions = new Map<string, Direction>()
  topology.links.forEach((link, index) => {
    for (const [from, to] of [
      [link.a, link.b],
      [link.b, link.a],
    ] as const) {
      const destination = underlayAddress(to)
      const line = new DelayLine<Buffer>({
        delayMs: link.shape.delayMs,
        maxItems: maxPacketsPerLine,
        now: () => performance.now(),
        schedule: setTimeout,
        release: (packet) => {
          socket.send(packet, vxlanPort, destination, ignoreSendError)
        },
      })
      directions.set(`${underlayAddress(from)}/${linkVni(index)}`, { line })
    }
  })
  socket.on('message', (packet, from) => {
    if (packet.length < vxlanHeaderBytes) return
    const vni = packet.readUIntBE(4, 3)
    directions.get(`${from.address}/${vni}`)?.line.push(packet)
  })
  socket.on('error', fail)
  socket.bind(vxlanPort, relayAddress, () => process.stdout.write('ready\n'))
  process.once('SIGTERM', () => {
    socket.close()
    process.exit(0)
  })
}

/** A packet that cannot be sent is lost, as on any link. */
function ignoreSendError(): void {
  return undefined
}

function fail(error: unknown): void {
  const what = LabError.is(error) ? error.message : `the link relay failed: ${String(error)}`
  process.stderr.write(`${what}\n`)
  process.exit(1)
}

try {
  main()
} catch (error) {
  fail(error)
}
