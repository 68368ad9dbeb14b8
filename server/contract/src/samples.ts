/** What a program needs that only reads and writes samples. It loads no schemas, which take ten times as long to load. */
export * from './declared-measurement.ts'
export * from './error/message-of.ts'
export * from './exact-number.ts'
export * from './field-number.ts'
export type * from './field-value.ts'
export * from './queue.ts'
export * from './sample-line.ts'
export * from './scope.ts'
