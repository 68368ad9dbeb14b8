import type { CompiledCell } from '../compile/compilation.ts'

/** Data by MIME type: text, base64 or JSON. */
export type Bundle = Readonly<Record<string, unknown>>

/** Why a cell ended with an error. */
export interface Failure {
  readonly name: string
  readonly message: string
  /** The error as Node prints it, with positions in the cells as they were written. */
  readonly text: string
}

/** A cell to run. */
export interface ExecuteRequest extends CompiledCell {
  readonly do: 'execute'
  /** The number of the request. All output of the cell, also later output, has it. */
  readonly cell: number
  /** The name of the cell in stack traces, such as `cell-3.ts`. */
  readonly name: string
  /** Whether a user at the notebook can be asked for input. */
  readonly canAsk: boolean
}

/** A message of a Jupyter comm. */
export interface CommMessage {
  readonly type: 'open' | 'msg' | 'close'
  /** The id of the comm. */
  readonly id: string
  /** The target name of the comm. */
  readonly target: string
  /** Any JSON. */
  readonly data: unknown
  /** Binary buffers as base64, because the processes exchange JSON. */
  readonly buffers: readonly string[]
}

/** A request of the kernel to the process that runs cells. */
export type ChildRequest =
  | ExecuteRequest
  /** Load in advance what most notebooks import. */
  | { readonly do: 'warm' }
  | { readonly do: 'comm'; readonly message: CommMessage }
  /** Programs of the cell have printed this many characters, which count towards its limit. */
  | { readonly do: 'charge'; readonly cell: number; readonly length: number }
  | { readonly do: 'interrupt'; readonly cell: number }

/** An event that the process reports to the kernel. Events are sent in the order in which they happen. */
export type ChildEvent =
  | { readonly is: 'ready' }
  | { readonly is: 'interrupting'; readonly cell: number }
  | {
      readonly is: 'stream'
      readonly cell: number
      readonly name: StreamName
      readonly text: string
    }
  | {
      readonly is: 'display'
      readonly cell: number
      readonly data: Bundle
      readonly metadata: Bundle
      /** Set for a display that can be updated. */
      readonly displayId: string | null
      readonly update: boolean
    }
  | { readonly is: 'comm'; readonly cell: number; readonly message: CommMessage }
  /** A cell has registered a comm target. */
  | { readonly is: 'comm target'; readonly name: string }
  /** A notice of the kernel in the output of a cell. It does not count towards the limit. */
  | { readonly is: 'notice'; readonly cell: number; readonly text: string }
  /** Clear the output of the cell. */
  | { readonly is: 'clear'; readonly cell: number }
  | { readonly is: 'result'; readonly cell: number; readonly data: Bundle }
  | { readonly is: 'input'; readonly cell: number; readonly prompt: string }
  | {
      readonly is: 'done'
      readonly cell: number
      readonly failure: Failure | null
      /** How many of its imports and declarations were completed. */
      readonly reached: number
    }

/** The two text streams. */
export type StreamName = 'stdout' | 'stderr'

/** The answer to a prompt: one line of JSON on a pipe of its own. */
export type InputAnswer = { readonly value: string } | { readonly refused: string }

/** File descriptors of the child beyond 0 to 2 and the IPC channel (3): the pipe of the interrupt thread, and the pipe for answers to prompts. */
export const childFds = { interrupt: 4, input: 5 } as const
