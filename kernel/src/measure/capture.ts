import { bytes, count, point, seconds, text, type RowOf } from '@community-lab/contract'
import { checkArgument, durationMs, oneOf, wholeNumber, type Kind } from '../argument.ts'
import { chooseSlivers } from '../run/start.ts'
import type { SliverOrNode } from '../sliver/slice-handle.ts'
import { captureProgram } from './capture-program.ts'
import { anyone } from './ends.ts'
import type { MeasureOptions, StandardMeasurement } from './measurement.ts'
import { settings } from './prober.ts'
import { toolPoint } from './tool.ts'

/** The protocols that are told apart. */
const protocols = ['tcp', 'udp', 'icmp6', 'icmp', 'sctp', 'arp', 'other'] as const

/** What to capture. */
export interface CaptureOptions extends MeasureOptions {
  /** The slivers whose packets are captured, or the names of their nodes; the text `all`: every sliver. */
  readonly on: SliverOrNode | readonly SliverOrNode[]
  /** The duration, in whole milliseconds: 1 000 to 86 400 000. */
  readonly forMs: number
  /** The name of an interface in the slivers, such as `pub1`; default: all but `lo`. */
  readonly interface?: string
  /** Only packets of this protocol; default: all. */
  readonly protocol?: (typeof protocols)[number]
  /** The most bytes of the file in a sliver: 1 000 to 1 000 000 000; default 10 000 000. The run keeps a file of at most 32 MiB; a larger one stays in the sliver. */
  readonly maxBytes?: number
  /** The most packets in a sliver: 1 to 10 000 000; default 100 000. */
  readonly maxPackets?: number
  /** The bytes of each packet that are kept, from its Ethernet header on: 14 to 65 535; default 96, which is headers. */
  readonly snapBytes?: number
}

/** The file of each sliver, which the run keeps: `await run.file('capture.pcap', { sliver })`. Until it has ended it is in the folder of the run: `/tmp/community-lab/<id of the run>`. */
const captureFile = 'capture.pcap'

const capturePoint = point('capture', {
  at_s: seconds('the second, since 1970, by the clock of the node'),
  protocol: text('tcp, udp, icmp6, icmp, sctp, arp or other'),
  packets: count('packets in this second'),
  frame_bytes: bytes('their length on the link, with Ethernet headers'),
})

const captureEndPoint = point('capture_end', {
  packets: count('packets in the file'),
  file_bytes: bytes('length of the file'),
  dropped: count('packets that the kernel had no room for; they are not in the file'),
  reason: text('why it ended: time, bytes, packets or stopped'),
})

/** The tables of a run of `measure('capture', …)`. */
export interface CaptureTables {
  /** One row for each second and protocol. */
  readonly capture: RowOf<typeof capturePoint>
  /** One row for each sliver, at the end. */
  readonly capture_end: RowOf<typeof captureEndPoint>
  readonly tool: RowOf<typeof toolPoint>
}

/** The name of a network interface. Source: Linux, dev_valid_name(). */
const interfaceName: Kind = {
  expected: 'the name of a network interface',
  is: (value) => typeof value === 'string' && /^[A-Za-z0-9_.-]{1,15}$/u.test(value),
}

/** Packets of the slivers' own interfaces. See `Slice.measure`. */
export const captureMeasurement: StandardMeasurement<CaptureOptions> = {
  kinds: {
    on: anyone,
    forMs: durationMs,
    interface: interfaceName,
    protocol: oneOf(...protocols),
    maxBytes: wholeNumber(1_000, 1_000_000_000, 'bytes'),
    maxPackets: wholeNumber(1, 10_000_000, 'packets'),
    snapBytes: wholeNumber(14, 65_535, 'bytes'),
  },
  plan(slice, { on, forMs, maxBytes = 10_000_000, maxPackets = 100_000, snapBytes = 96, ...more }) {
    checkArgument('forMs', forMs, wholeNumber(1_000, 86_400_000, 'milliseconds'))
    checkArgument('on', on, anyone)
    const options = {
      for_ns: forMs * 1e6,
      most_bytes: maxBytes,
      most_packets: maxPackets,
      snap: snapBytes,
      interface: more.interface ?? 'any',
      protocol: more.protocol ?? 'all',
      file: captureFile,
    }
    return {
      programs: [
        {
          ...{ on: chooseSlivers(slice, on), script: captureProgram, args: [settings(options)] },
          keep: [captureFile],
        },
      ],
      points: [capturePoint, captureEndPoint, toolPoint],
      expectedMs: forMs,
    }
  },
}
