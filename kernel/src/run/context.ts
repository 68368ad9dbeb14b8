import { inspect } from 'node:util'
import type { Run } from '@community-lab/contract'
import type { Shown } from '../display/table.ts'
import type { Session } from '../session.ts'
import { SampleDatabase } from './database.ts'
import { fetchPublishedDays } from './published-days.ts'
import { fetchRecorded } from './recorded-tables.ts'
import type { RunState } from './run-state.ts'
import type { Row, SqlValue } from './value.ts'

/** How long before and after a run the context reaches, in milliseconds: the rows before a sample tell what was when it was taken. */
const marginMs = 10 * 60_000

/**
 * The samples of a run, and beside them what the nodes measured of themselves in its time: `context.node_health`, `context.node_links`, `context.node_routes` and so on. A
 * join by the node and by the last row before each sample tells what was when it was taken (`asof join`).
 */
export class RunContext {
  readonly #database: SampleDatabase
  readonly #name: string

  constructor(session: Session, state: RunState) {
    this.#name = state.object.name
    const { from, to } = periodOf(state.object, Date.now())
    this.#database = new SampleDatabase(session, state.selection(), {
      scope: 'node',
      from,
      to,
      published: (signal) => fetchPublishedDays(session, { from, to, signal }),
      recorded: (period, signal) => fetchRecorded(session, period, signal),
    })
  }

  /**
   * Run a query in their database (DuckDB). The load of the node at each sample:
   * `` await context.sql`from rtt asof left join context.node_health health on rtt.node = health.node and rtt.time >= health.time` ``
   *
   * @throws {@link LabError} LAB_SQL_FAILED, LAB_SQL_INVALID, LAB_SQL_UNREADABLE, LAB_ARGUMENT_INVALID.
   */
  sql<T extends object = Row>(
    strings: TemplateStringsArray,
    ...values: readonly SqlValue[]
  ): Promise<Shown<T>> {
    return this.#database.query<T>(strings, values)
  }

  /** List the tables, those of the nodes with `context.` before their names. */
  tables(): Promise<readonly { readonly name: string; readonly rows: number }[]> {
    return this.#database.tables()
  }

  /** Close the database, which frees memory. A later query fetches everything again. */
  close(): Promise<void> {
    return this.#database.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [inspect.custom](): string {
    return [
      `RunContext of run ${this.#name}: its samples, and context.node_health, context.node_links, context.node_routes of all nodes in its time`,
      '  await context.tables() lists the tables',
      '  await context.sql`from rtt asof left join context.node_health health on rtt.node = health.node and rtt.time >= health.time`',
    ].join('\n')
  }
}

/** The time of a run, with a margin. A run that has not ended lasts until now. */
function periodOf({ parts, created_on: createdOn }: Run, nowMs: number) {
  const begins = parts.flatMap(({ started_on: on }) => (on === null ? [] : [Date.parse(on)]))
  const ends = parts.map(({ ended_on: on }) => (on === null ? nowMs : Date.parse(on)))
  return {
    from: new Date(Math.min(Date.parse(createdOn), ...begins) - marginMs),
    to: new Date(Math.max(...ends) + marginMs),
  }
}
