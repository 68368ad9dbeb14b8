import type { Lab } from '../../../../kernel/src/lab.ts'
import type { Run } from '../../../../kernel/src/run/run.ts'
import type { Slice } from '../../../../kernel/src/sliver/slice.ts'
import type { Sliver } from '../../../../kernel/src/sliver/sliver.ts'
import type { VirtualTestbed } from '../../../../kernel/src/virtual.ts'

/** What a mistake is made with. */
export interface Given {
  readonly lab: Lab
  readonly slice: Slice
  readonly run: Run
  /** A folder of this machine. */
  readonly dir: string
  first(): Sliver
  virtual(): VirtualTestbed
}

/** Each mistake: the call, and what its error says. */
export type Mistakes = Readonly<
  Record<string, readonly [call: (given: Given) => unknown, says: RegExp]>
>

/** A value that TypeScript does not look at. */
export const any = (value: unknown): never => value as never
