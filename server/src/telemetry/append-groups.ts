import { LabError } from '@community-lab/contract'
import { createArena } from './arena.ts'
import { nodeScope } from './domain/name.ts'
import type {
  AppendGroup,
  AppendOutcome,
  AppendRequest,
  AppendResult,
  BlockPosition,
  SamplesRequest,
  SpoolId,
  StreamShape,
} from './store/protocol.ts'

/** Options of {@link createAppendGroups}. */
export interface AppendGroupsOptions {
  /** The time for which samples of slices wait for others, in milliseconds. */
  readonly delayMs: number
  /** How long nodes' own measurements wait, in milliseconds: nobody needs a node's health within a tenth of a second. */
  readonly healthDelayMs: number
  /** When this many samples wait, they are sent on at once. */
  readonly maxRows: number
  /** The same, when all of them are nodes' own measurements. */
  readonly maxHealthRows: number
  /** Send a group. Returns one answer for each request. */
  send(group: AppendGroup): Promise<readonly AppendResult[]>
}

/** The spool of a connection, from which blocks come. */
export interface BlockSource extends SpoolId {
  /** The node's name. */
  readonly node: string
  /** The number of the connection. It is never used again. */
  readonly stream: number
  /** Called after the commit of some of its blocks, or when that has failed. */
  settle(blocks: readonly SentBlock[], result: AppendOutcome | LabError): void
}

/** A block as a node sent it. */
export interface SentBlock {
  readonly firstSeq: number
  readonly rows: number
  readonly bytes: Uint8Array
  /** Whether it is a node's round of own measurements, which has time. */
  readonly isRound: boolean
  /** Called when it is committed or given up. */
  readonly release: () => void
}

/** Collects the samples of all streams in groups. */
export interface AppendGroups {
  /** Settles when the samples are committed. @throws {@link LabError} LAB_TELEMETRY_FAILED. */
  append(request: SamplesRequest): Promise<AppendOutcome>
  appendBlock(source: BlockSource, block: SentBlock): void
  defineShape(shape: StreamShape): void
  endStream(stream: number): void
  /** Send the waiting samples. */
  flush(): void
}

/** A message with more samples than this is a backlog, not a node's round of measurements. */
export const maxRoundRows = 64

interface Waiting {
  readonly request: AppendRequest
  settle(result: AppendOutcome | LabError): void
}

/** The blocks of a source in the present group. */
interface Gathered {
  readonly blocks: SentBlock[]
  readonly positions: BlockPosition[]
}

/**
 * Make the groups. Both a message to the store's thread and a commit cost much more than the few samples in a node's message, so that thousands of nodes share
 * them. When some samples must be sent on at once, all that wait go with them.
 */
export function createAppendGroups(options: AppendGroupsOptions): AppendGroups {
  const { delayMs, healthDelayMs, maxRows, maxHealthRows, send } = options
  const arena = createArena()
  let waiting: Waiting[] = []
  let gathered = new Map<BlockSource, Gathered>()
  /** The shapes that the store does not know yet, by connection and number. */
  let shapes = new Map<string, StreamShape>()
  let ended: number[] = []
  /** The shapes that are defined, to notice when one is defined again. */
  const defined = new Map<number, Set<number>>()
  let rows = 0
  let isUrgent = false
  let timer: NodeJS.Timeout | null = null

  function flush(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    isUrgent = false
    rows = 0
    const group = waiting
    if (group.length === 0) return
    const message: AppendGroup = {
      requests: group.map(({ request }) => request),
      memory: arena.take(),
      shapes: [...shapes.values()],
      ended,
    }
    waiting = []
    gathered = new Map()
    shapes = new Map()
    ended = []
    void sendGroup(group, message)
  }

  async function sendGroup(group: readonly Waiting[], message: AppendGroup): Promise<void> {
    try {
      const results = await send(message)
      for (const [index, { settle }] of group.entries()) {
        const result = results[index]
        settle(result?.outcome ?? failed(result?.reason ?? 'it was not answered'))
      }
    } catch (error) {
      const reason = error instanceof LabError ? error : failed(String(error))
      for (const { settle } of group) settle(reason)
    }
  }

  /** Send on, at once or in time, what was just added. */
  function schedule(added: number, isRound: boolean): void {
    rows += added
    const isFirstUrgent = !isUrgent && !isRound
    isUrgent ||= isFirstUrgent
    if (rows >= (isUrgent ? maxRows : maxHealthRows)) {
      flush()
      return
    }
    if (timer !== null && !isFirstUrgent) return
    if (timer !== null) clearTimeout(timer)
    timer = setTimeout(flush, isUrgent ? delayMs : healthDelayMs)
  }

  function gather(source: BlockSource): Gathered {
    const known = gathered.get(source)
    if (known !== undefined) return known
    const { nodeId, node, spool, stream } = source
    const own: Gathered = { blocks: [], positions: [] }
    gathered.set(source, own)
    waiting.push({
      request: { nodeId, node, spool, stream, blocks: own.positions },
      settle: (result) => source.settle(own.blocks, result),
    })
    return own
  }

  return {
    flush,
    append(request) {
      return new Promise((resolve, reject) => {
        const settle = (result: AppendOutcome | LabError): void =>
          result instanceof LabError ? reject(result) : resolve(result)
        waiting.push({ request, settle })
        // Blocks that come after these samples must not be before them.
        for (const source of gathered.keys())
          if (source.nodeId === request.nodeId) gathered.delete(source)
        schedule(request.samples.length, isRound(request))
      })
    },
    appendBlock(source, block) {
      const { blocks, positions } = gather(source)
      const { firstSeq, rows: count, bytes } = block
      positions.push({ firstSeq, rows: count, at: arena.put(bytes), bytes: bytes.length })
      blocks.push(block)
      schedule(count, block.isRound)
    },
    defineShape(shape) {
      const own = defined.get(shape.stream) ?? new Set()
      defined.set(shape.stream, own)
      // The blocks that wait have the shape that had this number before.
      if (own.has(shape.number)) flush()
      own.add(shape.number)
      shapes.set(`${shape.stream}/${shape.number}`, shape)
    },
    endStream(stream) {
      const own = defined.get(stream)
      if (own === undefined) return
      defined.delete(stream)
      ended.push(stream)
      // Without blocks that wait, nobody needs its shapes.
      if (waiting.length === 0) for (const number of own) shapes.delete(`${stream}/${number}`)
    },
  }
}

/** Tell whether a message is a node's round of own measurements. */
function isRound({ samples }: SamplesRequest): boolean {
  return samples.length <= maxRoundRows && samples.every(({ scope }) => scope === nodeScope)
}

function failed(reason: string): LabError {
  return new LabError('LAB_TELEMETRY_FAILED', { what: 'commit samples', reason })
}
