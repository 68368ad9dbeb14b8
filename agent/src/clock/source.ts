import { readFileSync } from 'node:fs'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'

/** The clocks of a host. */
export interface ClockSource {
  /** The monotonic clock, in microseconds since some moment before. */
  monotonicUs(): number
  /** The wall clock, in microseconds since the epoch, in steps of {@link wallResolutionUs}, rounded down. */
  wallUs(): number
  /** The wall clock that programs in slivers read, in the same steps. It is the host's, also on a virtual node: Linux has no wall clock for some processes alone. */
  programWallUs(): number
  /** The monotonic clock is that of the kernel times `rate`, plus `aheadUs` microseconds. */
  readonly rate: number
  readonly aheadUs: number
}

/** The steps of {@link ClockSource.wallUs}. Source: ECMAScript, Date.now. */
export const wallResolutionUs = 1000

/** The kernel's own clocks. */
export const hostClocks: ClockSource = {
  monotonicUs: kernelUs,
  wallUs: hostWallUs,
  programWallUs: hostWallUs,
  rate: 1,
  aheadUs: 0,
}

/** The clock of a virtual node, in a file that may change at any time. `drift_ppm` is read once. */
export const VirtualClock = Type.Object({
  /** How far its wall clock is ahead of the host's. */
  ahead_s: Type.Number(),
  /** How much faster its clocks run than the host's. */
  drift_ppm: Type.Number(),
  /** The host's monotonic clock when it began to run at another rate, in microseconds. */
  since_us: Type.Number(),
})
export type VirtualClock = Static<typeof VirtualClock>

/** Make the clocks of a virtual node from its file. Without one, or with one that cannot be read, it has the host's clock. */
export function virtualClocks(path: string): ClockSource {
  const read = (): VirtualClock => readVirtualClock(path)
  const { drift_ppm: driftPpm, since_us: sinceUs } = read()
  const drift = driftPpm / 1e6
  return {
    rate: 1 + drift,
    aheadUs: -drift * sinceUs,
    programWallUs: hostWallUs,
    monotonicUs: () => kernelUs() + drift * (kernelUs() - sinceUs),
    wallUs() {
      const ahead = read().ahead_s * 1e6 + drift * (kernelUs() - sinceUs)
      return Math.floor(Date.now() + ahead / 1000) * 1000
    },
  }
}

function readVirtualClock(path: string): VirtualClock {
  let value: unknown = null
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // There is no file, or none that is whole.
  }
  return Value.Check(VirtualClock, value) ? value : { ahead_s: 0, drift_ppm: 0, since_us: 0 }
}

function hostWallUs(): number {
  return Date.now() * 1000
}

function kernelUs(): number {
  return Number(process.hrtime.bigint()) / 1000
}
