/** What a command gets from outside: folders, environment, output and its end. */
export interface Context {
  /** The folder of the checkout that this program belongs to, absolute. */
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
  /** Ask the person at the terminal for yes or no; null when nobody is there to ask, as in a script. */
  readonly confirm: ((question: string) => Promise<boolean>) | null
  /** Aborted by Ctrl-C, SIGTERM and SIGHUP, and when nobody reads the output any more. */
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

/** The files of a data folder that the command line reads or writes. */
export interface HomeFiles {
  /** A researcher's credentials. */
  readonly credentials: string
  readonly operatorCredentials: string
  readonly logs: string
  readonly jupyter: string
}

/** Compute the paths of a data folder's files. */
export function filesOf(home: string): HomeFiles {
  return {
    credentials: `${home}/credentials.json`,
    operatorCredentials: `${home}/credentials-operator.json`,
    logs: `${home}/logs`,
    jupyter: `${home}/jupyter`,
  }
}
