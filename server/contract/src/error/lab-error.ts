import { errorCodes, type DetailsOf, type ErrorCode } from './codes.ts'

const brand = Symbol.for('community-lab.error')

/** Options of a {@link LabError}. */
export interface LabErrorOptions {
  readonly cause?: unknown
  /** The id of the request that it answers, for the server's log. */
  readonly requestId?: string
  /** The message as another process wrote it; by default it is made from the code and its details. */
  readonly message?: string
}

/**
 * An error that Community-Lab throws on purpose. It has a stable code, details as JSON, and a message that says what failed, on which object, what was found
 * and what to do. Recognize one by {@link LabError.is}, never by its message.
 */
export class LabError<C extends ErrorCode = ErrorCode> extends Error {
  readonly code: C
  readonly details: DetailsOf<C>
  readonly requestId: string | null

  constructor(code: C, details: DetailsOf<C>, options: LabErrorOptions = {}) {
    const message = options.message ?? messageOf(code, details)
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = details
    this.requestId = options.requestId ?? null
    Object.defineProperty(this, brand, { value: true })
  }

  /** The HTTP status of the error; 0 when it is never sent over HTTP. */
  get status(): number {
    return errorCodes[this.code].status
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return errorCodes[this.code].retryable
  }

  /** Tell whether a value is a LabError (with one of the given codes), whichever copy of this package made it. */
  static is<K extends ErrorCode>(value: unknown, ...codes: readonly K[]): value is LabError<K> {
    if (typeof value !== 'object' || value === null || !(brand in value)) return false
    return codes.length === 0 || codes.some((code) => (value as { code?: unknown }).code === code)
  }
}
Object.defineProperty(LabError.prototype, 'name', {
  value: 'LabError',
  enumerable: false,
  configurable: true,
  writable: true,
})

function messageOf<C extends ErrorCode>(code: C, details: DetailsOf<C>): string {
  const definition: { message(details: never): string } = errorCodes[code]
  return definition.message(details as never)
}
