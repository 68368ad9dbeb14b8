import { messageOf, Problem } from '@community-lab/contract'
import Type, { type Static } from 'typebox'

/** A step of starting or stopping, and its state. */
export const StepLine = Type.Object({
  step: Type.String(),
  state: Type.Enum(['start', 'progress', 'done', 'failed'] as const),
  ms: Type.Optional(Type.Integer({ description: 'since the step started' })),
  message: Type.Optional(Type.String()),
})
export type StepLine = Static<typeof StepLine>

/** The testbed is up. */
export const ReadyLine = Type.Object({
  ready: Type.Object({
    url: Type.String(),
    socket: Type.String({ description: "the server's Unix socket" }),
    vctSocket: Type.String({ description: "the virtual testbed's control socket" }),
    home: Type.String(),
    credentialsFile: Type.String(),
    operatorCredentialsFile: Type.String(),
    podPid: Type.Integer({ description: 'a process in the network namespace of the server' }),
    mode: Type.Enum(['root', 'rootless'] as const),
    lacks: Type.Array(Type.String()),
  }),
})
export type ReadyLine = Static<typeof ReadyLine>

/** The error of a testbed that did not come up or has ended. */
export const ErrorLine = Type.Object({ error: Problem })
export type ErrorLine = Static<typeof ErrorLine>

/** A line of the output of `up`. Each line is one JSON document. */
export const ProgressLine = Type.Union([StepLine, ReadyLine, ErrorLine])
export type ProgressLine = Static<typeof ProgressLine>

/** Print a line of progress. */
export type Say = (line: ProgressLine) => void

/** Run a step, and report its start, its end and its duration. */
export async function doStep<T>(
  say: (line: StepLine) => void,
  step: string,
  work: (note: (message: string) => void) => Promise<T>,
): Promise<T> {
  const start = performance.now()
  const ms = () => Math.round(performance.now() - start)
  say({ step, state: 'start' })
  try {
    const result = await work((message) => say({ step, state: 'progress', ms: ms(), message }))
    say({ step, state: 'done', ms: ms() })
    return result
  } catch (error) {
    const message = messageOf(error)
    say({ step, state: 'failed', ms: ms(), message })
    throw error
  }
}
