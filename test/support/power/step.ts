/** A change of files, as `record-steps.ts` and `RecordSteps.pm` note it after it was made, or an event of the program itself. */
export type Step =
  | {
      readonly do: 'open'
      readonly pid: number
      readonly fd: number
      readonly path: string
      readonly creates: boolean
      readonly truncates: boolean
    }
  /** A file that something else has written, and of which nothing is known before. */
  | { readonly do: 'found'; readonly path: string; readonly data: string }
  /** `at` null: where the last write of this descriptor ended. `data` is hexadecimal. */
  | {
      readonly do: 'write'
      readonly pid: number
      readonly fd: number
      readonly at: number | null
      readonly data: string
    }
  | {
      readonly do: 'truncate'
      readonly pid: number
      readonly fd: number
      readonly length: number
    }
  | { readonly do: 'close'; readonly pid: number; readonly fd: number }
  | { readonly do: 'sync'; readonly pid: number; readonly fd: number; readonly id: string }
  | { readonly do: 'synced'; readonly id: string }
  | { readonly do: 'rename'; readonly from: string; readonly to: string }
  | { readonly do: 'link'; readonly from: string; readonly to: string }
  | { readonly do: 'mkdir'; readonly path: string }
  | { readonly do: 'remove'; readonly path: string }
  | { readonly do: 'event'; readonly event: unknown }
