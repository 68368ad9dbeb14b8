import { randomUUID } from 'node:crypto'
import type { SampleRecord } from '@community-lab/contract'
import type { Sample } from '../../../agent/src/measurement/sample.ts'
import { toStoredBlocks } from '../../../agent/src/measurement/spool/block-group.ts'
import type { Spool } from '../../../agent/src/measurement/spool/spool.ts'

/** A spool as the agent's session uses it, in memory: ten thousand nodes on one machine would measure its disk. */
export function createMemorySpool(): Spool {
  const id = randomUUID()
  const listeners = new Set<() => void>()
  let records: SampleRecord[] = []
  let lastSeq = 0
  const firstSeq = (): number => lastSeq - records.length + 1
  return {
    id,
    get firstSeq() {
      return firstSeq()
    },
    get keptSeq() {
      return firstSeq()
    },
    get lastSeq() {
      return lastSeq
    },
    get syncedSeq() {
      return lastSeq
    },
    append(samples: readonly Sample[]) {
      records.push(...samples.map((sample) => ({ seq: ++lastSeq, ...sample })))
      for (const listener of listeners) listener()
      return true
    },
    mark: () => undefined,
    read(fromSeq, maxRecords) {
      const from = Math.max(0, fromSeq - firstSeq())
      return records.slice(from, from + maxRecords)
    },
    readBlocks: (fromSeq, maxRecords) =>
      toStoredBlocks(fromSeq, records.slice(fromSeq - firstSeq()).slice(0, maxRecords)),
    trim(seq) {
      records = records.filter((record) => record.seq > seq)
    },
    isOutrun: (committedSeq) => committedSeq > lastSeq,
    renew() {
      throw new Error('the server has more of this spool than there ever was')
    },
    sync: () => Promise.resolve(),
    onAppend(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    onTrim: () => () => undefined,
    close: () => Promise.resolve(),
  }
}
