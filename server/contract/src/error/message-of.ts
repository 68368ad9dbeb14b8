/** Return the message of whatever was thrown. What is not an `Error` is written as text. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
