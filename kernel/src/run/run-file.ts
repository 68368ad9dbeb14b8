/** A file that a program of a run was to keep. */
export interface RunFile {
  /** The id of the sliver, and the name of its node. */
  readonly sliver: string
  readonly node: string
  /** Its path in the folder of the program; the pattern of `keep` where no file fits it. */
  readonly path: string
  /** Its length in bytes; null: not known. */
  readonly bytes: number | null
  /** The SHA-256 of its content, in hexadecimal; null: it was not kept. */
  readonly sha256: string | null
  /** Why it was not kept; null: it was. */
  readonly problem: string | null
}
