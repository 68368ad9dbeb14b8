import {
  compileLineCheck,
  type FieldValue,
  type LineCheck,
  type RunPoint,
} from '@community-lab/contract'

/** A run on a sliver of this node, with the measurements that it declares. */
export interface DeclaringRun {
  readonly id: string
  readonly sliver: string
  readonly points: readonly RunPoint[]
}

/**
 * What the runs on this node's slivers have declared of their lines. A line belongs to a run by its field `run`. Lines of other runs, or without one, and measurements that
 * the run does not declare, are not checked here.
 */
export interface LineChecks {
  /** Check the lines of a run from now on. Called again for the same run, it replaces what was declared. */
  declare(run: DeclaringRun): void
  /** Check the lines of a run no more. */
  forget(runId: string): void
  /** Say why a line of a sliver does not fit what its run declares; null when it fits, or nothing is declared. */
  check(
    sliver: string,
    line: { readonly name: string; readonly fields: Readonly<Record<string, FieldValue>> },
  ): string | null
}

/** Start without any declaration. */
export function createLineChecks(): LineChecks {
  const runs = new Map<
    string,
    { readonly sliver: string; readonly checks: ReadonlyMap<string, LineCheck> }
  >()
  return {
    declare({ id, sliver, points }) {
      // Compiled once: a check is made for each line.
      const checks = new Map(points.map((point) => [point.name, compileLineCheck(point)]))
      if (checks.size === 0) runs.delete(id)
      else runs.set(id, { sliver, checks })
    },
    forget(runId) {
      runs.delete(runId)
    },
    check(sliver, { name, fields }) {
      const { run } = fields
      const declared = typeof run === 'string' ? runs.get(run) : undefined
      if (declared?.sliver !== sliver) return null
      return declared.checks.get(name)?.(fields) ?? null
    },
  }
}
