import { existsSync, readFileSync } from 'node:fs'
import { VctClock } from '@community-lab/contract'
import { writeWhole } from '@community-lab/contract/host'
import { Value } from 'typebox/value'

/** The name of the file with the clock of a virtual node, in its data folder. Its agent reads it (`agent/src/clock/source.ts`). */
export const clockFile = 'virtual-clock.json'

/** The clock of a virtual node, which its file keeps. */
export interface VirtualNodeClock {
  /** What was asked for last. */
  readonly wanted: VctClock
  /** Set the wall clock at once, and the drift from the next start on. */
  set(clock: VctClock): Promise<void>
  /** The node starts: its clocks run at the wanted rate from now on. */
  start(): Promise<void>
}

/** Read the clock of a node. A node without a file has this machine's clock. */
export function createNodeClock(path: string): VirtualNodeClock {
  let wanted = read(path)
  let running = { drift_ppm: 0, since_us: 0 }

  async function write(): Promise<void> {
    const { ahead_s: aheadS, drift_ppm: driftPpm } = wanted
    const document = { ahead_s: aheadS, wanted_drift_ppm: driftPpm, ...running }
    await writeWhole(path, `${JSON.stringify(document)}\n`)
  }

  return {
    get wanted() {
      return wanted
    },
    async set(clock) {
      wanted = clock
      await write()
    },
    async start() {
      const { drift_ppm: driftPpm } = wanted
      running = { drift_ppm: driftPpm, since_us: Number(process.hrtime.bigint() / 1000n) }
      // A file that is there may have another rate, of an earlier start.
      if (existsSync(path)) await write()
    },
  }
}

function read(path: string): VctClock {
  try {
    const document = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    const clock = { ahead_s: document['ahead_s'], drift_ppm: document['wanted_drift_ppm'] }
    if (Value.Check(VctClock, clock)) return clock
  } catch {
    // Nobody has set it.
  }
  return { ahead_s: 0, drift_ppm: 0 }
}
