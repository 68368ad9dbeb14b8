import type { ColumnType, Generated, GeneratedAlways, JSONColumnType } from 'kysely'
import type { PlacedProgram, RunPoint, RunReport, RunState } from '@community-lab/contract'

/** Programs on slivers of a slice. */
export interface RunTable {
  id: string
  slice_id: number
  name: string
  created_by: number | null
  created_on: GeneratedAlways<Date>
  start_at: Date | null
  limit_ms: number | null
  programs: JSONColumnType<PlacedProgram[]>
  points: ColumnType<RunPoint[], string | undefined, never>
  cancelled_on: Date | null
  /** When the last of its parts had ended. */
  ended_on: Date | null
}

/** A run on one sliver. The row stays when the sliver is removed, until the run is. */
export interface RunPartTable {
  run_id: string
  node_id: number
  /** The name of the node when the run was made. */
  node_name: string
  program: number
  slice_instance_sn: number
  instance_sn: number
  state: Generated<RunState>
  /** What else is known of it; empty before the node has reported it. */
  outcome: ColumnType<Partial<PartOutcome>, string | undefined, string>
}

/** What is stored of a run on one sliver besides its state. */
export type PartOutcome = Omit<RunReport, 'id' | 'sliver' | 'state'>
