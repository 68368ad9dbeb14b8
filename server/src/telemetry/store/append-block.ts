import {
  entryAt,
  integerBytes,
  numberAt,
  numberEncodings,
  placeOf,
  timeOf,
  type BlockMemory,
  type Column,
} from '@community-lab/contract/samples'
import type { ColumnBuffer, TableColumns } from './column-buffer.ts'
import type { PlannedBlock } from './commit.ts'

/** Some rows of a section, and the first row of the chunk that gets them. */
interface Rows {
  readonly from: number
  readonly rows: number
  readonly at: number
}

/** Write rows of a section into the columns of its table. The values are copied from where they arrived. */
export function appendBlock(
  { first, fields }: TableColumns,
  block: PlannedBlock,
  rows: Rows,
): void {
  const { section, memory, node, nodeId, spool, sliver, kinds } = block
  const { from, at } = rows
  const until = at + rows.rows
  for (let row = 0; row < rows.rows; row++) {
    first.time.putLong(at + row, timeOf(memory, section, from + row))
    first.node.putText(at + row, node)
    first.node_id.putInt(at + row, nodeId)
    first.seq.putLong(at + row, block.firstSeq + placeOf(memory, section, from + row))
    first.spool.putText(at + row, spool)
    first.landed.putLong(at + row, block.landed + from + row)
    if (sliver !== null) first.sliver.putText(at + row, sliver)
  }
  for (const column of [
    first.time,
    first.node,
    first.node_id,
    first.seq,
    first.spool,
    first.landed,
  ])
    column.mark(at, until)
  if (sliver !== null) first.sliver.mark(at, until)
  for (let index = 0; index < section.columns.length; index++) {
    const column = section.columns[index]
    const kind = kinds[index]
    if (column === undefined || kind === undefined) continue
    const buffers = fields.get(column.field[0])
    // A later sample of the same commit may have made integers of the column, which holds all whole numbers then.
    const buffer = buffers?.[kind] ?? (kind === 'number' ? buffers?.integer : undefined)
    if (buffer === undefined) continue
    putColumn(buffer, memory, column, rows)
    buffer.mark(at, until)
  }
}

function putColumn(
  buffer: ColumnBuffer,
  memory: BlockMemory,
  column: Column,
  { from, rows, at }: Rows,
): void {
  const { texts } = column
  if (texts !== null) {
    for (let row = 0; row < rows; row++)
      buffer.putText(at + row, texts.entries[entryAt(memory, texts, from + row)] ?? '')
    return
  }
  switch (column.field[1]) {
    case 'boolean':
      for (let row = 0; row < rows; row++)
        buffer.bytes[at + row] = memory.bytes[column.at + from + row] === 0 ? 0 : 1
      return
    case 'integer': {
      const begin = column.at + integerBytes * from
      const integers = memory.bytes.subarray(begin, begin + integerBytes * rows)
      buffer.bytes.set(integers, integerBytes * at)
      return
    }
    default:
      putNumbers(buffer, memory, column, { from, rows, at })
  }
}

function putNumbers(
  buffer: ColumnBuffer,
  memory: BlockMemory,
  column: Column,
  { from, rows, at }: Rows,
): void {
  const { doubles, type } = buffer
  if (type === 'HUGEINT')
    for (let row = 0; row < rows; row++)
      buffer.putHuge(at + row, numberAt(memory, column, from + row))
  else if (column.encoding === numberEncodings.double && rows > 16) {
    const begin = column.at / 8 + from
    doubles.set(memory.doubles.subarray(begin, begin + rows), at)
  } else
    for (let row = 0; row < rows; row++) doubles[at + row] = numberAt(memory, column, from + row)
}
