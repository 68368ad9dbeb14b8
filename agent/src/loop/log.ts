/** The part of a structured logger that the agent uses: what happened as an object first, then a stable sentence. pino is one. */
export interface Log {
  debug(what: object, sentence: string): void
  info(what: object, sentence: string): void
  warn(what: object, sentence: string): void
  error(what: object, sentence: string): void
}
