import type { Run, RunPart, Slice } from '@community-lab/contract'
import type { Context } from '../context.ts'
import { printRows, type PrintOptions } from '../output/print.ts'
import { nameOf } from './people.ts'

/** Print runs in a table. */
export function printRuns(
  context: Context,
  runs: readonly Run[],
  { slices, ...options }: PrintOptions & { readonly slices: readonly Slice[] },
): void {
  printRows(context, runs, {
    ...options,
    columns: [
      { title: 'RUN', show: ({ name }) => name },
      { title: 'SLICE', show: ({ slice }) => nameOf(slices, slice) },
      { title: 'ASKED FOR', show: ({ created_on: on }) => on },
      { title: 'STATE', show: describeRunState },
      { title: 'NODES', show: ({ parts }) => parts.map(nodeOf).join(' ') },
    ],
    none: 'no runs yet; slice.run and slice.measure start one in a notebook',
  })
}

/** Print a run, and what became of it on each sliver. */
export function printRun(context: Context, run: Run, slice: string): void {
  const { start_at: startAt, limit_ms: limitMs, cancelled_on: cancelledOn } = run
  const lines = [
    `${run.name} of slice ${slice} (${run.id}): ${describeRunState(run)}`,
    `asked for ${run.created_on}`,
    ...(startAt === null ? [] : [`starts ${startAt}`]),
    ...(limitMs === null ? [] : [`limited to ${limitMs / 1000} s`]),
    ...(cancelledOn === null ? [] : [`cancelled ${cancelledOn}`]),
    ...(run.points ?? []).map(
      ({ name, fields }) => `measures ${name}: ${Object.keys(fields).join(', ')}`,
    ),
  ]
  for (const line of lines) context.out.write(`${line.replaceAll(/\p{Cc}/gu, '?')}\n`)
  context.out.write('\n')
  printRows(context, run.parts, {
    columns: [
      { title: 'SLIVER', show: ({ sliver }) => sliver.id },
      { title: 'NODE', show: nodeOf },
      { title: 'STATE', show: ({ state }) => state },
      { title: 'BEGAN', show: ({ started_on: on }) => on },
      { title: 'ENDED', show: ({ ended_on: on }) => on },
      { title: 'EXIT', show: describeExit, align: 'right' },
      { title: 'REASON', show: ({ reason }) => reason },
      { title: 'WHAT', show: ({ message }) => message },
    ],
    none: 'it is on no sliver',
  })
}

/** The name of a part's node; its id when it has none any more. */
export function nodeOf({ node }: RunPart): string {
  return node.name ?? String(node.id)
}

/** `ended`, or how many slivers are in which state. */
export function describeRunState({ ended_on: endedOn, parts }: Run): string {
  if (endedOn !== null) return 'ended'
  const states = [...Map.groupBy(parts, ({ state }) => state)]
  return states.map(([state, own]) => `${own.length} ${state}`).join(', ')
}

function describeExit({ exit_code: code, signal }: RunPart): string | number | null {
  return signal === null ? code : `signal ${signal}`
}
