import type { Lab } from '@community-lab/kernel'

/** Something that is done to the testbed, in seconds since the day's recording began. */
export interface Action {
  readonly atS: number
  readonly what: string
  readonly act: (lab: Lab) => Promise<unknown>
}

/** A day of the recorded week. */
export interface Day {
  /** What is wrong on this day, for those who read the manifest. */
  readonly title: string
  readonly actions: readonly Action[]
}

/** How long each day is recorded, in seconds. */
export const recordedS = 240

/** What n2's sliver does while it is overloaded: it computes most of the time, and pauses for 50 ms between. */
const computing =
  'while :; do head -c 30000000 /dev/zero | sha256sum >/dev/null; usleep 50000; done'

const quiet: Day = { title: 'nothing is wrong', actions: [] }

function overloaded(day: number, fromS: number, lastsS: number): Day {
  const run = { script: computing, on: ['n2'], limitMs: lastsS * 1000 }
  const act = async (lab: Lab): Promise<unknown> =>
    (await lab.slices.get('load')).run(`busy-${day}`, run)
  return {
    title: `the sliver of n2 computes for ${lastsS} s`,
    actions: [
      { atS: fromS, what: 'sliver of n2 begins to compute', act },
      { atS: fromS + lastsS, what: 'sliver of n2 ends', act: () => Promise.resolve() },
    ],
  }
}

function sick(atS: readonly number[], offS: number): Day {
  return {
    title: `the power of n5 fails ${atS.length} times, for ${offS} s each`,
    actions: atS.flatMap((s): readonly Action[] => [
      { atS: s, what: 'n5 powered off', act: (lab) => lab.virtual().node('n5', 'stop') },
      { atS: s + offS, what: 'n5 powered on', act: (lab) => lab.virtual().node('n5', 'start') },
    ]),
  }
}

function flapping(fromS: number, times: number): Day {
  const cutS = 10
  const everyS = 24
  return {
    title: `the link n3–n4 is cut ${times} times, for ${cutS} s each`,
    actions: Array.from({ length: times }, (_, index): readonly Action[] => {
      const atS = fromS + index * everyS
      return [
        { atS, what: 'link n3-n4 cut', act: (lab) => lab.virtual().cutLink('n3', 'n4') },
        {
          atS: atS + cutS,
          what: 'link n3-n4 back',
          act: (lab) => lab.virtual().restoreLink('n3', 'n4'),
        },
      ]
    }).flat(),
  }
}

/** All links of a node are down. It measures on, and its samples come later. */
function partition(atS: number, lastsS: number): Day {
  return {
    title: `n3 is cut off for ${lastsS} s; it measures on`,
    actions: [
      { atS, what: 'links of n3 cut', act: (lab) => lab.virtual().node('n3', 'cut') },
      {
        atS: atS + lastsS,
        what: 'links of n3 back',
        act: (lab) => lab.virtual().node('n3', 'start'),
      },
    ],
  }
}

/** The week. */
export const week: readonly Day[] = [
  quiet,
  overloaded(2, 70, 110),
  sick([50, 110, 170], 20),
  sick([30, 100, 170], 40),
  flapping(40, 6),
  overloaded(6, 90, 120),
  partition(80, 45),
]
