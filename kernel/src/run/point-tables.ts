import { columnsOfPoint, LabError, type Point } from '@community-lab/contract'
import { checkArgument, words } from '../argument.ts'
import type { DeclaredColumns } from './selection.ts'

/** A measurement: a point that `point(…)` has made, or a name. */
export type Measured = Point | string

/** Return the tables of declared measurements: each has a column for each field, and `run`. */
export function tablesOfPoints(
  points: readonly Point[],
): Readonly<Record<string, DeclaredColumns>> {
  return Object.fromEntries(
    points.map((point) => {
      const columns = columnsOfPoint(point).map(({ name, type }) => [name, type] as const)
      return [point.name, { ...Object.fromEntries(columns), run: 'VARCHAR' as const }]
    }),
  )
}

/** Return the name of a measurement. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function measurementName(which: unknown): string {
  const name: unknown =
    typeof which === 'object' && which !== null ? Reflect.get(which, 'name') : which
  checkArgument('the measurement', name, words)
  return String(name)
}

/** Return the only measurement that a run declares. @throws {@link LabError} LAB_ARGUMENT_INVALID when there is none, or more than one. */
export function onlyPoint(points: readonly Point[]): Point {
  const [point, other] = points
  if (point !== undefined && other === undefined) return point
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument: 'the measurement',
    found: 'not named',
    expected:
      other === undefined
        ? 'a point or the name of a measurement before the function that draws, because the run declares none'
        : `one of those that the run declares, before the function that draws: ${points.map(({ name }) => name).join(', ')}`,
  })
}
