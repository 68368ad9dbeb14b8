/** The surroundings of a command: folders, environment, output, and the signal that ends it. */
export interface Context {
  /** The folder of the checkout that this program belongs to, absolute. */
  readonly checkout: string
  /** The folder with all data of this checkout's testbed, absolute. */
  readonly home: string
  /** The working directory of the command, absolute. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** The output for results. */
  readonly out: TextSink
  /** The output for progress and errors. */
  readonly err: TextSink
  /** Ask the person at the terminal a yes-or-no question; null when nobody can be asked, as in a script. */
  readonly confirm: ((question: string) => Promise<boolean>) | null
  /** Ask for secrets: at the terminal, where they are not shown, or from the input, a line each. */
  readonly askSecrets: AskSecrets
  /** Aborted by Ctrl-C, SIGTERM and SIGHUP, and when nobody reads the output any more. */
  readonly signal: AbortSignal
}

/** Asks for secrets, one line each. */
export type AskSecrets = (questions: readonly string[]) => Promise<readonly string[]>

/** An output for text. */
export interface TextSink {
  write(text: string): unknown
  /** Whether it is a terminal. */
  readonly isTTY?: boolean
  /** The width and the height of the terminal. */
  readonly columns?: number
  readonly rows?: number
}

/** The files of a data folder that the command line reads or writes. */
export interface HomeFiles {
  /** A researcher's credentials. */
  readonly credentials: string
  readonly operatorCredentials: string
  readonly logs: string
  readonly jupyter: string
}

/** Return the paths of a data folder's files. */
export function filesOf(home: string): HomeFiles {
  return {
    credentials: `${home}/credentials.json`,
    operatorCredentials: `${home}/credentials-operator.json`,
    logs: `${home}/logs`,
    jupyter: `${home}/jupyter`,
  }
}
