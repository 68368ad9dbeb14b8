import type { CompiledCell } from '../compile/compilation.ts'

/** Data by MIME type, as Jupyter shows it: text, base64 or JSON. */
export type Bundle = Readonly<Record<string, unknown>>

/** Why a cell ended with an error. */
export interface Failure {
  readonly name: string
  readonly message: string
  /** The error as Node prints it, its lines those of the cells. */
  readonly text: string
}

/** A cell to run. */
export interface ExecuteRequest extends CompiledCell {
  readonly do: 'execute'
  /** Number of the request; everything the cell causes, however late, carries it. */
  readonly cell: number
  /** Its name in stacks, like `cell-3.ts`. */
  readonly name: string
  /** Whether a person at the notebook can be asked. */
  readonly canAsk: boolean
}

/** A message of a conversation between cells and the page. */
export interface CommMessage {
  readonly type: 'open' | 'msg' | 'close'
  /** The id of the conversation. */
  readonly id: string
  /** What it is about. */
  readonly target: string
  /** Any JSON. */
  readonly data: unknown
  /** Bytes beside it, as base64: what passes between the processes is JSON. */
  readonly buffers: readonly string[]
}

/** What the kernel asks of the process that runs the cells. */
export type ChildRequest =
  | ExecuteRequest
  /** Load what most notebooks import, before a cell waits for it. */
  | { readonly do: 'warm' }
  | { readonly do: 'comm'; readonly message: CommMessage }
  /** Programs that the cell started have shown so many characters, which count for its bound. */
  | { readonly do: 'charge'; readonly cell: number; readonly length: number }
  | { readonly do: 'interrupt'; readonly cell: number }

/** What that process tells. All of it is in the order in which it happened. */
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
  /** Cells take conversations of that name from now on. */
  | { readonly is: 'comm target'; readonly name: string }
  /** What the kernel itself tells in a cell, beyond the bound of what it shows. */
  | { readonly is: 'notice'; readonly cell: number; readonly text: string }
  /** Take away what the cell has shown so far. */
  | { readonly is: 'clear'; readonly cell: number }
  | { readonly is: 'result'; readonly cell: number; readonly data: Bundle }
  | { readonly is: 'input'; readonly cell: number; readonly prompt: string }
  | {
      readonly is: 'done'
      readonly cell: number
      readonly failure: Failure | null
      /** How many of its imports and declarations are done. */
      readonly reached: number
    }

/** The two text streams. */
export type StreamName = 'stdout' | 'stderr'

/** How a prompt ends: one line of JSON on its own pipe. */
export type InputAnswer = { readonly value: string } | { readonly refused: string }

/** File descriptors of the child beyond 0 to 2 and the channel (3): the interrupt thread's pipe and the one that answers prompts. */
export const childFds = { interrupt: 4, input: 5 } as const
