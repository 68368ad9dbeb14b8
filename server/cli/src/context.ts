/** What a command may use of the world. */
export interface Context {
  /** The checkout that this program is part of, absolute. */
  readonly checkout: string
  /** The folder where everything of this checkout's testbed lives, absolute. */
  readonly home: string
  /** The folder that the command was given in, absolute. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where results go. */
  readonly out: TextSink
  /** Where progress and errors go. */
  readonly err: TextSink
  /** Aborted by Ctrl-C and by a request to end. */
  readonly signal: AbortSignal
}

/** Something that text is written to. */
export interface TextSink {
  write(text: string): unknown
  /** Whether it is a terminal. */
  readonly isTTY?: boolean
  /** How wide the terminal is. */
  readonly columns?: number
}

/** Where everything of a home is that the command line looks at. */
export interface HomeFiles {
  /** A researcher's credentials. */
  readonly credentials: string
  readonly operatorCredentials: string
  readonly logs: string
  readonly jupyter: string
}

/** Compute where a home's files are. */
export function filesOf(home: string): HomeFiles {
  return {
    credentials: `${home}/credentials.json`,
    operatorCredentials: `${home}/credentials-operator.json`,
    logs: `${home}/logs`,
    jupyter: `${home}/jupyter`,
  }
}
