import Type, { type Static, type TSchema } from 'typebox'
import { NodeHistoryState, NodeState, SliverHistoryState } from '../state.ts'
import { nullable, Ref, Time } from './common.ts'
import { NodeReport } from './node.ts'
import { SliverReport } from './sliver.ts'

const Reason = nullable(
  Type.String({ description: 'why it is in this state, if anybody has told; otherwise null' }),
)

function interval<S extends TSchema>(state: S, $id: string) {
  return Type.Object({ from: Time, to: Time, state, reason: Reason }, { $id })
}

/**
 * A time during which a node was in one state: `from` belongs to it, `to` does not. `nodata`: the server was not running, or has no record. A node is `offline`
 * from its last sign of life on.
 */
export const NodeInterval = interval(NodeHistoryState, 'NodeInterval')
export type NodeInterval = Static<typeof NodeInterval>

/** A time during which a sliver was in one state. While its node is `offline` or `crashed`, nothing is known of the sliver, and it has the node's state. */
export const SliverInterval = interval(SliverHistoryState, 'SliverInterval')
export type SliverInterval = Static<typeof SliverInterval>

function availability<S extends TSchema>(state: S, $id: string) {
  return Type.Object(
    {
      from: Time,
      to: Time,
      seconds: Type.Array(Type.Object({ state, seconds: Type.Number() }), {
        description: 'how long it was in each state; all together are the whole period',
      }),
      known_s: Type.Number({
        description: 'the seconds of the period that the server has a record of',
      }),
      availability: nullable(
        Type.Number({
          description:
            'the share of the known time, 0 to 1, in which it served: a node in production, a sliver started; null when nothing is known',
        }),
      ),
    },
    { $id },
  )
}

/** How long a node was in each state within a period. */
export const NodeAvailability = availability(NodeHistoryState, 'NodeAvailability')
export type NodeAvailability = Static<typeof NodeAvailability>

/** How long a sliver was in each state within a period. */
export const SliverAvailability = availability(SliverHistoryState, 'SliverAvailability')
export type SliverAvailability = Static<typeof SliverAvailability>

function lastReport<S extends TSchema, R extends TSchema>(state: S, report: R, $id: string) {
  return Type.Object(
    {
      url: Type.String({ description: 'where the node puts its reports' }),
      current: state,
      last_change_on: nullable(Time),
      last_seen_on: nullable(Time),
      last_try_on: nullable(
        Type.String({
          format: 'date-time',
          description: 'as last_seen_on: nodes report, and the server asks nobody',
        }),
      ),
      verified: Type.Boolean({
        description: 'whether there is a report; each comes over TLS with the token of the node',
      }),
      metadata: Type.Object({}, { description: 'always empty: no request was made' }),
      data: nullable(report),
    },
    { $id },
  )
}

/** The last report of a node. Source: CONFINE controller, `ctl/state`. */
export const NodeLastReport = lastReport(NodeState, NodeReport, 'NodeLastReport')
export type NodeLastReport = Static<typeof NodeLastReport>

/** The last report of a sliver. Source: CONFINE controller, `ctl/state`. */
export const SliverLastReport = lastReport(SliverHistoryState, SliverReport, 'SliverLastReport')
export type SliverLastReport = Static<typeof SliverLastReport>

/**
 * A life of a sliver: from the report that it has started to the first one that it runs no more, or to its removal. If it ended, or was removed, while nothing was
 * heard of its node, it is up to the last contact before. Names are those of its begin. The entry stays when the sliver, its slice or its node are removed.
 */
export const JournalEntry = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    slice: Ref,
    slice_name: Type.String(),
    group: Ref,
    group_name: Type.String(),
    node: Ref,
    node_name: Type.String(),
    from: Time,
    to: nullable(Time),
    started_on: nullable(
      Type.String({ description: 'when it started by the clock of its node, RFC 3339' }),
    ),
  },
  { $id: 'JournalEntry' },
)
export type JournalEntry = Static<typeof JournalEntry>
