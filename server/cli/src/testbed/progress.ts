import { Problem } from '@community-lab/contract'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { formatDuration } from '../output/duration.ts'

/** One step of starting or stopping a virtual testbed. */
export const StepLine = Type.Object({
  step: Type.String(),
  state: Type.Enum(['start', 'progress', 'done', 'failed'] as const),
  ms: Type.Optional(Type.Number()),
  message: Type.Optional(Type.String()),
})
export type StepLine = Static<typeof StepLine>

/** A virtual testbed that is up. */
export const Ready = Type.Object({
  url: Type.String(),
  socket: Type.String({ description: "the server's Unix socket" }),
  vctSocket: Type.String(),
  home: Type.String(),
  credentialsFile: Type.String(),
  mode: Type.String(),
  lacks: Type.Array(Type.String()),
})
export type Ready = Static<typeof Ready>

const ReadyLine = Type.Object({ ready: Ready })
const ErrorLine = Type.Object({ error: Problem })

/** A line of the virtual testbed's output, parsed. */
export type Progress =
  | { readonly kind: 'step'; readonly step: StepLine }
  | { readonly kind: 'ready'; readonly ready: Ready }
  | { readonly kind: 'error'; readonly problem: Problem }

/** Read a line of progress; null when the line is something else (a warning of Node, other output). */
export function maybeProgress(line: string): Progress | null {
  const document = parseJson(line)
  if (Value.Check(ReadyLine, document)) return { kind: 'ready', ready: document.ready }
  if (Value.Check(ErrorLine, document)) return { kind: 'error', problem: document.error }
  if (Value.Check(StepLine, document)) return { kind: 'step', step: document }
  return null
}

/** Describe a step in words: its result, or its current work. */
export function describeStep({ step, state, ms, message }: StepLine): string {
  const took = ms === undefined ? '' : `, ${formatDuration(ms)}`
  const more = message === undefined ? '' : `: ${message}`
  if (state === 'start') return `testbed: ${step} …`
  return state === 'progress'
    ? `testbed: ${step}${more}`
    : `testbed: ${step}: ${state}${took}${more}`
}

function parseJson(line: string): unknown {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line)
  } catch {
    // The line is not progress.
    return undefined
  }
}
