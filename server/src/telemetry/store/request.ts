import {
  BlockMemory,
  placeOf,
  readBlock,
  rejectedMeasurement,
  sampleAt,
  undefinedShape,
  type Section,
} from '@community-lab/contract/samples'
import { nodeScope } from '../domain/name.ts'
import { placeRecord } from '../domain/placement.ts'
import type { PlacedSample } from '../domain/sample.ts'
import type { PlacedShape } from '../domain/section.ts'
import type { AppendGroup, AppendRequest, BlockPosition, SpoolId, StreamShape } from './protocol.ts'

/** A block of a node, which was read. */
export interface ReadBlock {
  readonly nodeId: number
  readonly firstSeq: number
  readonly rows: number
  readonly memory: BlockMemory
  /** Null when it could not be read. */
  readonly sections: readonly Section<PlacedShape>[] | null
  /** Why it could not be read; null when it could. */
  readonly fault: string | null
}

/** A request, of which the blocks were read. */
export interface ReadRequest extends SpoolId {
  readonly node: string
  /** In the order of `seq`. */
  readonly parts: readonly (PlacedSample | ReadBlock)[]
}

/** Reads the blocks of all connections. */
export interface BlockReader {
  /** Learn the shapes of a group and read its requests. Null: the shapes of this connection are not known, because they were defined before this thread began. */
  read(group: AppendGroup): readonly (ReadRequest | null)[]
}

/** Make the reader of blocks, which knows the shapes that nodes have defined on their connections. */
export function createBlockReader(): BlockReader {
  const streams = new Map<number, Map<number, PlacedShape>>()

  function learn({ stream, number, shape }: StreamShape): void {
    const shapes = streams.get(stream) ?? new Map<number, PlacedShape>()
    streams.set(stream, shapes.set(number, shape))
  }

  function readRequest(request: AppendRequest, memory: BlockMemory): ReadRequest | null {
    const { nodeId, node, spool } = request
    if ('samples' in request) return { nodeId, node, spool, parts: request.samples }
    const shapes = streams.get(request.stream)
    if (shapes === undefined) return null
    const parts = request.blocks.map((block) => readOne(block, { nodeId, memory, shapes }))
    // The connection has defined it: that is checked when a block arrives.
    if (parts.some(({ fault }) => fault === undefinedShape)) return null
    return { nodeId, node, spool, parts }
  }

  return {
    read({ requests, memory, shapes, ended }) {
      shapes.forEach(learn)
      const blocks = new BlockMemory(memory)
      const read = requests.map((request) => readRequest(request, blocks))
      for (const stream of ended) streams.delete(stream)
      return read
    },
  }
}

function readOne(
  { at, bytes, firstSeq, rows }: BlockPosition,
  given: {
    readonly nodeId: number
    readonly memory: BlockMemory
    readonly shapes: Map<number, PlacedShape>
  },
): ReadBlock {
  const { nodeId, memory, shapes } = given
  const reading = readBlock(memory, { at, bytes, shapes })
  const { fault = null } = reading
  const sections = reading.fault === undefined ? reading.sections : null
  return { nodeId, firstSeq, rows, memory, sections, fault }
}

/** Tell whether a part of a request is a block. */
export function isBlock(part: PlacedSample | ReadBlock): part is ReadBlock {
  return 'memory' in part
}

/** Return the number of the first sample. */
export function firstSeqOf(part: PlacedSample | ReadBlock): number {
  return isBlock(part) ? part.firstSeq : part.seq
}

/** Return the number of the last sample. */
export function lastSeqOf(part: PlacedSample | ReadBlock): number {
  return isBlock(part) ? part.firstSeq + part.rows - 1 : part.seq
}

/** Return the samples of a section, each looked at: see {@link placeRecord}. */
export function placeSection(
  { memory, firstSeq, nodeId }: ReadBlock,
  section: Section<PlacedShape>,
): PlacedSample[] {
  const isSlice = (): boolean => section.shape.owner !== null
  const context = { nodeId, nowUs: Date.now() * 1000, isSlice }
  return Array.from({ length: section.rows }, (_, row) => {
    const seq = firstSeq + placeOf(memory, section, row)
    return placeRecord({ seq, ...sampleAt(memory, section, row) }, context)
  })
}

/** Return the samples of a block in the order of `seq`. A block that could not be read becomes one row of `rejected`, because a stream cannot continue without it. */
export function placeBlock(block: ReadBlock): PlacedSample[] {
  const { sections, fault, firstSeq, rows } = block
  if (sections !== null)
    return sections
      .flatMap((section) => placeSection(block, section))
      .sort((one, other) => one.seq - other.seq)
  const fields = { line: '', reason: `the block cannot be read: ${fault ?? ''}`, lines: rows }
  const timeUs = Date.now() * 1000
  const place = { scope: nodeScope, name: rejectedMeasurement, sliver: null }
  return [{ seq: firstSeq + rows - 1, timeUs, ...place, fields }]
}

/** Return a request whose readable blocks are samples, so that it can be divided. */
export function divisible(request: ReadRequest): ReadRequest {
  const parts = request.parts.flatMap((part) =>
    isBlock(part) && part.sections !== null ? placeBlock(part) : [part],
  )
  return { ...request, parts }
}
