import type { MemberError, Node, Slice } from '@community-lab/contract'
import React from 'react'
import type { Row } from './rows.ts'
import { formatTime } from './time.ts'
import { summarizeSlivers, toneOfNode, toneOfSliver, type Tone } from './tone.ts'

/** Draw a row. */
export function RowView({ row }: { readonly row: Row }): React.JSX.Element {
  switch (row.kind) {
    case 'heading':
      return <h2>{row.title}</h2>
    case 'hint':
      return row.key === 'no-nodes' ? <NoNodes /> : <NoSlices />
    case 'incident':
      return (
        <Line row={row} dot="bad">
          <span className="cl-message">{row.incident.message}</span>
        </Line>
      )
    case 'node':
      return (
        <Line row={row} dot={toneOfNode(row.node)} errors={errorsOfNode(row.node)}>
          <span className="cl-name">{row.node.name}</span>
          <span className="cl-detail">
            {row.slivers} {row.slivers === 1 ? 'sliver' : 'slivers'}
          </span>
          <span className="cl-state">{row.node.state}</span>
        </Line>
      )
    case 'slice':
      return (
        <Line
          row={row}
          below={`ends ${formatTime(row.slice.expires_on)}`}
          errors={describeEnd(row.slice)}
        >
          <span className="cl-fold" data-open={row.isOpen} aria-hidden="true" />
          <span className="cl-name">{row.slice.name}</span>
          <span className="cl-detail">{summarizeSlivers(row.slivers)}</span>
          <span className="cl-state">{row.slice.set_state}</span>
        </Line>
      )
    case 'sliver':
      return (
        <Line row={row} dot={toneOfSliver(row.sliver)} errors={row.sliver.errors}>
          <span>{row.sliver.node.name}</span>
          <span className="cl-detail" />
          <span className="cl-state">{row.sliver.state}</span>
        </Line>
      )
  }
}

/** Return more about a row, for the tooltip and for a row that has the focus. */
function tipOf(row: Row): string {
  switch (row.kind) {
    case 'node': {
      const { mgmt_net: mgmt, arch, last_seen_on: seen } = row.node
      const heard = seen === null ? 'never heard of' : `last heard of ${formatTime(seen)}`
      return `${mgmt.addr}, ${arch}, ${heard}`
    }
    case 'slice':
      return `slice ${row.slice.id}, ${row.slivers.length} slivers${row.slice.description === '' ? '' : `, ${row.slice.description}`}`
    case 'sliver':
      return `sliver ${row.sliver.id}, ${row.sliver.mgmt_net.addr}`
    case 'incident':
      return `reported ${formatTime(row.incident.time)}`
    case 'heading':
    case 'hint':
      return ''
  }
}

function Line({
  row,
  dot,
  errors = [],
  below,
  children,
}: {
  readonly row: Row
  readonly dot?: Tone
  readonly errors?: readonly MemberError[]
  /** Text on a line of its own, which must not be cut off. */
  readonly below?: string
  readonly children: React.ReactNode
}): React.JSX.Element {
  return (
    <>
      <div className="cl-row" title={tipOf(row)}>
        {dot !== undefined && <span className="cl-dot" data-tone={dot} aria-hidden="true" />}
        {children}
      </div>
      {below !== undefined && <p className="cl-below">{below}</p>}
      {errors.length > 0 && (
        <p className="cl-errors">
          {errors.map(({ member, message }) => (
            <span key={`${member} ${message}`}>
              {member === '' ? '' : `${member}: `}
              {message}
              <br />
            </span>
          ))}
        </p>
      )}
      <p className="cl-tip">{tipOf(row)}</p>
    </>
  )
}

/** Return the errors of a node, and why it is not ready if it is not. */
function errorsOfNode({ errors, not_ready: notReady }: Node): readonly MemberError[] {
  if (notReady === undefined || notReady === null) return errors
  const message = `not ready since ${formatTime(notReady.since)}: ${notReady.reason}`
  return [...errors, { member: '', message }]
}

/** Return the warning that a slice ends soon, if there is one. */
function describeEnd({ name, end_warning: warning }: Slice): readonly MemberError[] {
  if (warning === undefined || warning === null) return []
  const within = warning.days === 1 ? 'a day' : `${warning.days} days`
  const message = `ends within ${within}; to keep it: await slice.renew(), or npx community-lab slice renew ${name}`
  return [{ member: '', message }]
}

function NoNodes(): React.JSX.Element {
  return (
    <p className="cl-empty">
      No nodes yet. An operator adds one with <code>npx community-lab node add NAME</code>.
    </p>
  )
}

const firstCall = "await lab.slices.ensure('hello', { template: 'tiny', nodes })"

function NoSlices(): React.JSX.Element {
  return (
    <p className="cl-empty">
      No slices yet. Open <code>notebooks/01-first-slice.ipynb</code> and run its cells, or in a
      notebook of your own: <code className="cl-line">{firstCall}</code>
    </p>
  )
}
