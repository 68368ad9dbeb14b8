import { LabError } from '@community-lab/contract'
import Type from 'typebox'
import { Value } from 'typebox/value'
import type { Shaping } from './commands.ts'
import { runScript } from './namespace.ts'
import { nodeName, radioName, type Shape, type Topology } from './topology.ts'

/** The needed part of the output of `tc -j qdisc show`. Rates are in bytes per second, delays in seconds. */
const Qdiscs = Type.Array(
  Type.Object({
    kind: Type.String(),
    dev: Type.String(),
    root: Type.Optional(Type.Boolean()),
    options: Type.Optional(
      Type.Object({
        rate: Type.Optional(Type.Union([Type.Number(), Type.Object({ rate: Type.Number() })])),
        delay: Type.Optional(Type.Object({ delay: Type.Number() })),
      }),
    ),
  }),
)

/** Return the kernel's shape of an interface; null when it has none. With the relay, the kernel has no delay. */
export function parseShape(json: string, device: string, shaping: Shaping): Partial<Shape> | null {
  const parsed: unknown = JSON.parse(json)
  if (!Value.Check(Qdiscs, parsed)) return null
  const kind = shaping === 'netem' ? 'netem' : 'tbf'
  const found = parsed.find((one) => one.dev === device && one.root === true && one.kind === kind)
  const rate = found?.options?.rate
  const bytesPerS = typeof rate === 'object' ? rate.rate : rate
  if (bytesPerS === undefined) return null
  const rateMbps = (bytesPerS * 8) / 1e6
  const delay = found?.options?.delay
  return delay === undefined ? { rateMbps } : { rateMbps, delayMs: delay.delay * 1000 }
}

/**
 * Read the shapes of a node's radios back.
 *
 * @throws {@link LabError} LAB_VCT_SHAPING_MISMATCH when one differs from the shape of its link.
 */
export async function readShapes(
  topology: Topology,
  n: number,
  shaping: Shaping,
  signal: AbortSignal,
): Promise<void> {
  const namespace = nodeName(n)
  const commands = [['tc', '-j', 'qdisc', 'show']]
  const json = await runScript({ namespace, commands }, { signal })
  for (const link of topology.links.filter(({ a, b }) => a === n || b === n)) {
    const device = radioName(link.a === n ? link.b : link.a)
    const found = parseShape(json, device, shaping)
    const { rateMbps, delayMs } = link.shape
    const fits =
      isNear(found?.rateMbps, rateMbps) && (shaping === 'relay' || isNear(found?.delayMs, delayMs))
    if (fits) continue
    throw new LabError('LAB_VCT_SHAPING_MISMATCH', {
      interface: device,
      node: namespace,
      asked: `${rateMbps} Mbit/s and ${delayMs} ms`,
      found: found === null ? 'no shape' : JSON.stringify(found),
    })
  }
}

/** The kernel counts bytes per second and ticks, so the last digits may differ. */
function isNear(found: number | undefined, asked: number): boolean {
  return found !== undefined && Math.abs(found - asked) <= asked * 0.001
}
