import type { Point } from '@community-lab/contract'
import type { Kind } from '../argument.ts'
import type { NodeAddresses } from '../run/route.ts'
import type { RunProgram } from '../run/start.ts'
import type { SliceHandle } from '../sliver/slice-handle.ts'

/** What a standard measurement starts: a run of the testbed, as data. */
export interface MeasurementPlan {
  /** The programs of the run. Slivers that do the same share one program: a run has at most 16 programs of 64 KiB together. `COMMUNITY_LAB_SLIVER` tells a program where it runs. */
  readonly programs: readonly RunProgram[]
  /** What the programs write. The tables exist from the beginning, with all of their columns. */
  readonly points: readonly Point[]
  /** How long the programs run by themselves, in milliseconds. The nodes end what is left of them a minute later. */
  readonly expectedMs: number
  /** What the user should know before it starts, such as how long it takes. */
  readonly note?: string | null
}

/** A standard measurement: `slice.measure(name, options)`. It does nothing itself, so it can be tested without a testbed. */
export interface StandardMeasurement<Options extends object> {
  /** The types of its options besides `name` and `signal`, which all measurements have. */
  readonly kinds: Readonly<Record<Exclude<keyof Options, 'name' | 'signal'>, Kind>>
  /** Whether its plan needs the addresses of nodes, which takes requests. */
  readonly needsNodes?: boolean
  /**
   * Compile the options to a plan. `nodes`: what is known of the addresses of nodes, if it asks for that.
   *
   * @throws {@link LabError} LAB_ARGUMENT_INVALID when an option is missing or out of range; LAB_SLIVER_UNKNOWN, LAB_SLIVER_NO_ADDRESS.
   */
  plan(slice: SliceHandle, options: Options, nodes?: readonly NodeAddresses[]): MeasurementPlan
}

/** Options of every measurement. */
export interface MeasureOptions {
  /** The name of the run, unique within the slice. Asked for again with the same name and options, it is the same run. Default: the measurement and the time, so each call measures anew. */
  readonly name?: string
  readonly signal?: AbortSignal
}
