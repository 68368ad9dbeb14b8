/** The part of a structured logger that the agent uses: first an object with the facts, then a constant sentence. pino is such a logger. */
export interface Log {
  debug(what: object, sentence: string): void
  info(what: object, sentence: string): void
  warn(what: object, sentence: string): void
  error(what: object, sentence: string): void
}
