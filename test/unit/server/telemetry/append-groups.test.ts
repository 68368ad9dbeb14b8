import { describe, expect, it } from 'vitest'
import { createAppendGroups } from '../../../../server/src/telemetry/append-groups.ts'
import type {
  AppendGroup,
  AppendOutcome,
  AppendResult,
  SamplesRequest,
} from '../../../../server/src/telemetry/store/protocol.ts'

const never = 2 ** 31 - 1

/** Samples of a node: its own, or of a slice on it. */
function request(nodeId: number, rows = 1, scope = 'node'): SamplesRequest {
  const sample = { timeUs: 0, scope, name: 'cpu', sliver: null, fields: {} }
  const samples = Array.from({ length: rows }, (_, index) => ({ ...sample, seq: index + 1 }))
  return { nodeId, node: `n${nodeId}`, spool: 'spool', samples }
}

function outcomeOf({ samples }: SamplesRequest): AppendOutcome {
  return { committedSeq: samples.length, missingSeq: null }
}

interface World {
  /** The nodes of each group that was sent on. */
  readonly sent: number[][]
  append(asked: SamplesRequest): Promise<AppendOutcome>
  flush(): void
}

function gather(
  answer: (asked: SamplesRequest) => AppendResult = (asked) => ({ outcome: outcomeOf(asked) }),
): World {
  const sent: number[][] = []
  const groups = createAppendGroups({
    delayMs: 0,
    healthDelayMs: never,
    maxRows: 100,
    maxHealthRows: 4,
    send({ requests }) {
      sent.push(requests.map(({ nodeId }) => nodeId))
      return Promise.resolve(
        requests.map((asked) => ('samples' in asked ? answer(asked) : { reason: 'a block' })),
      )
    },
  })
  return { ...groups, sent }
}

describe('the shapes of a connection', () => {
  it('are kept once each until the store has them, however often a node defines them and sends nothing', () => {
    const messages: AppendGroup[] = []
    const groups = createAppendGroups({
      ...{ delayMs: 0, healthDelayMs: never, maxRows: 100, maxHealthRows: 4 },
      send(group) {
        messages.push(group)
        return Promise.resolve([])
      },
    })
    const shape = { source: '3@1', name: 'rtt', fields: [], owner: null }
    for (let again = 0; again < 1_000; again++) {
      groups.defineShape({ stream: 1, number: again % 2, shape: { ...shape, name: `rtt${again}` } })
      groups.defineShape({ stream: 2 + again, number: 0, shape })
      groups.endStream(2 + again)
    }
    const source = { nodeId: 1, node: 'n1', spool: 'spool', stream: 1, settle: () => undefined }
    const block = { firstSeq: 1, rows: 1, bytes: new Uint8Array(8), isRound: true }
    groups.appendBlock(source, { ...block, release: () => undefined })
    groups.flush()
    expect(messages.map(({ shapes }) => shapes.map((each) => each.shape.name))).toEqual([
      ['rtt998', 'rtt999'],
    ])
  })
})

describe('the samples of many nodes', () => {
  it('go to the store together: what nodes measure of themselves waits for others', async () => {
    const { sent, append } = gather()
    const all = [1, 2, 3].map((nodeId) => append(request(nodeId)))
    expect(sent).toEqual([])
    all.push(append(request(4)))
    expect(sent).toEqual([[1, 2, 3, 4]])
    expect(await Promise.all(all)).toEqual(Array(4).fill({ committedSeq: 1, missingSeq: null }))
  })

  it('do not wait when a slice’s are among them', async () => {
    const { sent, append } = gather()
    const health = append(request(1))
    await append(request(2, 1, 'slice-1'))
    expect(sent).toEqual([[1, 2]])
    await health
  })

  it('do not wait when they are a backlog', async () => {
    const { sent, append } = gather()
    await append(request(1, 65))
    expect(sent).toEqual([[1]])
  })

  it('are sent on at the end', async () => {
    const { sent, append, flush } = gather()
    const waiting = append(request(1))
    flush()
    await waiting
    expect(sent).toEqual([[1]])
  })

  it('fail one by one', async () => {
    const { append, flush } = gather((asked) =>
      asked.nodeId === 1 ? { reason: 'no room' } : { outcome: outcomeOf(asked) },
    )
    const both = Promise.allSettled([append(request(1)), append(request(2))])
    flush()
    expect(await both).toMatchObject([
      { status: 'rejected', reason: { code: 'LAB_TELEMETRY_FAILED' } },
      { status: 'fulfilled', value: { committedSeq: 1 } },
    ])
  })
})
