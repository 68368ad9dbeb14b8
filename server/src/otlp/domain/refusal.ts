/** A refusal that would be repeated for the same metrics. Source: OTLP specification, "Failures": 429, 502, 503 and 504 may be repeated. */
export function isRefusal(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? Number(error.code) : NaN
  return code >= 400 && code < 500 && code !== 429 && code !== 401 && code !== 403 && code !== 404
}
