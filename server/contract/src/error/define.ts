/** The meaning of a code: its HTTP status, whether the same request may succeed later, and its message. */
export interface CodeDefinition<Details> {
  readonly status: number
  readonly retryable: boolean
  /** What failed, on which object, what was found, what to do. */
  message(details: Details): string
}

/** Define one error code. `status` is 0 for codes that never cross HTTP. */
export function code<Details extends object>(
  status: number,
  retryable: boolean,
  message: (details: Details) => string,
): CodeDefinition<Details> {
  return { status, retryable, message }
}

/** `; did you mean "x"?`, or nothing when there is no suggestion. */
export function didYouMean(suggestion: string | null): string {
  return suggestion === null ? '' : `; did you mean ${JSON.stringify(suggestion)}?`
}
