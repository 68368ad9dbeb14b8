/** The commands of the program, as the completion of shells needs them. Plain data, which the build writes into a file. */
export interface CommandNode {
  readonly name: string
  readonly description: string
  readonly commands: readonly CommandNode[]
  readonly options: readonly OptionNode[]
  readonly args: readonly ValueNode[]
}

/** An option of a command. */
export interface OptionNode {
  /** Such as `--json`. */
  readonly flag: string
  readonly description: string
  /** What its value can be; null: it has no value. */
  readonly value: ValueNode | null
}

/** What can stand for a value. */
export interface ValueNode {
  /** The only values. */
  readonly choices?: readonly string[]
  /** The names of objects of this kind, which the server knows. */
  readonly kind?: NamedKind
  /** The path of a file or a folder. */
  readonly isFile?: boolean
  /** It may be given again and again. */
  readonly isRepeated?: boolean
}

/** The kinds of objects whose names are completed. A request has its id for a name. */
export const namedKinds = [
  ...(['group', 'host', 'island', 'node', 'request', 'runs', 'server', 'slice'] as const),
  ...(['template', 'token', 'user'] as const),
] as const
export type NamedKind = (typeof namedKinds)[number]

/** Tell whether a word is the name of a kind. */
export function isNamedKind(word: string): word is NamedKind {
  return namedKinds.some((kind) => kind === word)
}
