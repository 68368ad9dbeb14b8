import type { SampleRecord } from '@community-lab/contract'
import type { Spool } from '../../../../agent/src/measurement/spool/spool.ts'

/** What a server has of a node, and what it answers: the rules of `begin` and `append` of its store, without a store. */
export class ServerModel {
  readonly rows: SampleRecord[] = []
  readonly #committed = new Map<string, number>()

  /** Commit records that follow those before; those that are there already are left out. */
  take(spool: string, records: readonly SampleRecord[]): void {
    for (const record of records) {
      if (record.seq !== this.#committedSeq(spool) + 1) continue
      this.rows.push(record)
      this.#committed.set(spool, record.seq)
    }
  }

  /** Take all that a spool has, as an agent sends it after its `hello`. */
  async drain(spool: Spool): Promise<void> {
    await spool.sync()
    if (spool.isOutrun(this.#hello(spool))) {
      spool.renew()
      await spool.sync()
      this.#hello(spool)
    }
    const committed = this.#committedSeq(spool.id)
    spool.trim(committed)
    for (let next = Math.max(spool.firstSeq, committed + 1); next <= spool.lastSeq;) {
      const records = spool.read(next, 100)
      if (records.length === 0) throw new Error(`the spool has nothing at ${next}`)
      this.take(spool.id, records)
      next += records.length
    }
    spool.trim(this.#committedSeq(spool.id))
  }

  /** The number of lines that rows of a name tell of. */
  linesOf(of: string): number {
    return this.rows
      .filter(({ name }) => name === of)
      .reduce((sum, { fields }) => sum + Number(fields['lines']), 0)
  }

  #committedSeq(spool: string): number {
    return this.#committed.get(spool) ?? 0
  }

  #hello({ id, firstSeq }: Spool): number {
    const committed = this.#committedSeq(id)
    // The node has those in between no longer: the store tells that in a row.
    if (committed < firstSeq - 1) this.#committed.set(id, firstSeq - 1)
    return Math.max(committed, firstSeq - 1)
  }
}
