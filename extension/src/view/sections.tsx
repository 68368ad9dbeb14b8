import type { MemberError, Node, Slice, Sliver } from '@community-lab/contract'
import React from 'react'
import { countSlivers, sliversOf, sortByName, type Board } from '../model/board.ts'
import { summarizeSlivers, toneOfNode, toneOfSliver, type Tone } from './tone.ts'

/** The nodes of a testbed, or what to do when there is none. */
export function NodeSection({ board }: { readonly board: Board }): React.JSX.Element {
  const nodes = sortByName(board.nodes.values())
  return (
    <section className="cl-section" aria-label="Nodes">
      <h2>Nodes ({nodes.length})</h2>
      {nodes.length === 0 ? (
        <p className="cl-empty">
          No nodes yet. An operator adds one with <code>npx community-lab node add NAME</code>.
        </p>
      ) : (
        <ul className="cl-list">
          {nodes.map((node) => (
            <NodeRow key={node.id} node={node} slivers={countSlivers(board, node.id)} />
          ))}
        </ul>
      )}
    </section>
  )
}

const firstCall = "await lab.slices.ensure('hello', { template: 'tiny', nodes })"

/** The slices of a testbed with their slivers, or what to do when there is none. */
export function SliceSection({ board }: { readonly board: Board }): React.JSX.Element {
  const slices = sortByName(board.slices.values())
  return (
    <section className="cl-section" aria-label="Slices">
      <h2>Slices ({slices.length})</h2>
      {slices.length === 0 ? (
        <p className="cl-empty">
          No slices yet. Open <code>notebooks/01-first-slice.ipynb</code> and run its cells, or in a
          notebook of your own: <code className="cl-line">{firstCall}</code>
        </p>
      ) : (
        <ul className="cl-list">
          {slices.map((slice) => (
            <SliceRow key={slice.id} slice={slice} slivers={sliversOf(board, slice.id)} />
          ))}
        </ul>
      )}
    </section>
  )
}

/** What an operator should look at; nothing when there is nothing. */
export function IncidentSection({ board }: { readonly board: Board }): React.JSX.Element | null {
  if (board.incidents.length === 0) return null
  return (
    <section className="cl-section" aria-label="Incidents">
      <h2>Incidents ({board.incidents.length})</h2>
      <ul className="cl-list">
        {board.incidents.map((incident) => (
          <li key={`${incident.time} ${incident.message}`} className="cl-row">
            <Dot tone="bad" />
            <span title={new Date(incident.time).toLocaleString()}>{incident.message}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function NodeRow({
  node,
  slivers,
}: {
  readonly node: Node
  readonly slivers: number
}): React.JSX.Element {
  const seen =
    node.last_seen_on === null
      ? 'never heard of'
      : `last heard of ${new Date(node.last_seen_on).toLocaleString()}`
  return (
    <li data-node={node.name} data-state={node.state}>
      <div className="cl-row" title={`${node.mgmt_net.addr}\n${node.arch}, ${seen}`}>
        <Dot tone={toneOfNode(node)} />
        <span className="cl-name">{node.name}</span>
        <span className="cl-detail">
          {slivers} {slivers === 1 ? 'sliver' : 'slivers'}
        </span>
        <span className="cl-state">{node.state}</span>
      </div>
      <Errors errors={node.errors} />
    </li>
  )
}

function SliceRow({
  slice,
  slivers,
}: {
  readonly slice: Slice
  readonly slivers: readonly Sliver[]
}): React.JSX.Element {
  return (
    <li data-slice={slice.name}>
      <details open>
        <summary
          className="cl-row"
          title={`expires ${new Date(slice.expires_on).toLocaleString()}`}
        >
          <span className="cl-name">{slice.name}</span>
          <span className="cl-detail">{summarizeSlivers(slivers)}</span>
          <span className="cl-state">{slice.set_state}</span>
        </summary>
        <ul className="cl-list">
          {slivers.map((sliver) => (
            <SliverRow key={sliver.id} sliver={sliver} />
          ))}
        </ul>
      </details>
    </li>
  )
}

function SliverRow({ sliver }: { readonly sliver: Sliver }): React.JSX.Element {
  return (
    <li data-sliver={sliver.id} data-state={sliver.state}>
      <div className="cl-row" title={`${sliver.id}\n${sliver.mgmt_net.addr}`}>
        <Dot tone={toneOfSliver(sliver)} />
        <span>{sliver.node.name}</span>
        <span className="cl-detail" />
        <span className="cl-state">{sliver.state}</span>
      </div>
      <Errors errors={sliver.errors} />
    </li>
  )
}

function Errors({ errors }: { readonly errors: readonly MemberError[] }): React.JSX.Element | null {
  if (errors.length === 0) return null
  return (
    <p className="cl-errors">
      {errors.map(({ member, message }) => (
        <span key={`${member} ${message}`}>
          {member === '' ? '' : `${member}: `}
          {message}
          <br />
        </span>
      ))}
    </p>
  )
}

function Dot({ tone }: { readonly tone: Tone }): React.JSX.Element {
  return <span className="cl-dot" data-tone={tone} aria-hidden="true" />
}
