import type { Board } from '@community-lab/contract'
import { useVirtualizer } from '@tanstack/react-virtual'
import React from 'react'
import { RowView } from './row-view.tsx'
import { indexAfterKey, isStop, rowsOf, type Row } from './rows.ts'

/** The assumed height of a row until it is measured, in pixels. */
const estimatedRowPx = 26
/** The number of rows that are drawn above and below the visible ones. */
const overscanRows = 12

const rowId = (key: string): string => `community-lab-row-${key.replace(/[^\w@-]/gu, '-')}`

/**
 * Draw a board as a tree. Only visible rows are in the page, so thousands of slivers are as fast as a few. The arrow keys move between rows and show details of
 * the current one. Enter and Space fold a slice.
 */
export function Tree({ board }: { readonly board: Board }): React.JSX.Element {
  const scroll = React.useRef<HTMLDivElement>(null)
  const [folded, setFolded] = React.useState<ReadonlySet<number>>(new Set())
  const [activeKey, setActiveKey] = React.useState('')
  const rows = React.useMemo(() => rowsOf(board, folded), [board, folded])
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => estimatedRowPx,
    overscan: overscanRows,
    getItemKey: (index) => rows[index]?.key ?? index,
  })
  const found = rows.findIndex(({ key }) => key === activeKey)
  const active = found === -1 ? rows.findIndex(isStop) : found
  const moveTo = (index: number): void => {
    setActiveKey(rows[index]?.key ?? '')
    list.scrollToIndex(index)
  }
  const fold = (row: Row | undefined, isOpen: boolean): void => {
    if (row?.kind !== 'slice' || row.isOpen === isOpen) return
    const next = new Set(folded)
    if (isOpen) next.delete(row.slice.id)
    else next.add(row.slice.id)
    setFolded(next)
  }
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const row = rows[active]
    const next = indexAfterKey(rows, active, event.key)
    if (next !== -1) moveTo(next)
    else if (event.key === 'Enter' || event.key === ' ')
      fold(row, row?.kind === 'slice' && !row.isOpen)
    else if (event.key === 'ArrowLeft') fold(row, false)
    else if (event.key === 'ArrowRight') fold(row, true)
    else return
    event.preventDefault()
  }
  return (
    <div
      ref={scroll}
      className="cl-tree"
      role="tree"
      aria-label="Testbed"
      aria-activedescendant={rowId(rows[active]?.key ?? '')}
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      <div className="cl-all" style={{ height: list.getTotalSize() }}>
        {list.getVirtualItems().map(({ index, key, start }) => {
          const row = rows[index]
          return row === undefined ? null : (
            <div
              {...semanticsOf(row)}
              key={key}
              id={rowId(row.key)}
              ref={list.measureElement}
              className="cl-item"
              data-index={index}
              data-kind={row.kind}
              data-active={index === active}
              style={{ transform: `translateY(${start}px)` }}
              onClick={() => {
                if (!isStop(row)) return
                setActiveKey(row.key)
                fold(row, row.kind === 'slice' && !row.isOpen)
              }}
            >
              <RowView row={row} />
            </div>
          )
        })}
      </div>
    </div>
  )
}

/** Return the ARIA attributes of a row, and its name and state as data attributes for styles and tests. */
function semanticsOf(
  row: Row,
): React.HTMLAttributes<HTMLElement> & Record<`data-${string}`, string> {
  switch (row.kind) {
    case 'heading':
    case 'hint':
      return { role: 'presentation' }
    case 'incident':
      return { role: 'treeitem', 'aria-level': 1 }
    case 'node': {
      const { name, state } = row.node
      return { role: 'treeitem', 'aria-level': 1, 'data-node': name, 'data-state': state }
    }
    case 'slice': {
      const semantics = { role: 'treeitem', 'aria-level': 1, 'aria-expanded': row.isOpen }
      return { ...semantics, 'data-slice': row.slice.name }
    }
    case 'sliver': {
      const { id, state } = row.sliver
      return { role: 'treeitem', 'aria-level': 2, 'data-sliver': id, 'data-state': state }
    }
  }
}
