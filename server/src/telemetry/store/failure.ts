import { messageOf } from '@community-lab/contract/samples'
/**
 * Tell whether DuckDB refuses all work with the file until it is opened again.
 *
 * Source: DuckDB's ErrorManager, "database has been invalidated because of a previous fatal error".
 */
export function isFatal(error: unknown): boolean {
  return /^(?:FATAL|INTERNAL) Error|database has been invalidated/u.test(messageOf(error))
}

/**
 * Tell whether the cause of an error is the present state of DuckDB (its memory, its disk, its transaction) and not the samples that were being
 * committed. Then the same samples can be committed another time.
 *
 * Source: DuckDB's `Exception::ExceptionTypeToString`, the beginning of each message.
 */
export function isOfEngine(error: unknown): boolean {
  const kinds = /^(?:Out of Memory|IO|TransactionContext|INTERRUPT|Connection|Permission) Error/u
  return isFatal(error) || kinds.test(messageOf(error))
}
