import { LabError } from '@community-lab/contract'
import { nodeScope } from './domain/name.ts'
import type { AppendOutcome, AppendRequest, AppendResult } from './store/protocol.ts'

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
  send(requests: readonly AppendRequest[]): Promise<readonly AppendResult[]>
}

/** Collects the samples of all streams in groups. */
export interface AppendGroups {
  /** Settles when the samples are committed. @throws {@link LabError} LAB_TELEMETRY_FAILED. */
  append(request: AppendRequest): Promise<AppendOutcome>
  /** Send the waiting samples. */
  flush(): void
}

/** A message with more samples than this is a backlog, not a node's round of measurements. */
const maxRoundRows = 64

interface Waiting {
  readonly request: AppendRequest
  readonly resolve: (outcome: AppendOutcome) => void
  readonly reject: (error: unknown) => void
}

/**
 * Make the groups. Both a message to the store's thread and a commit cost much more than the few samples in a node's message, so that thousands of nodes share
 * them. When some samples must be sent on at once, all that wait go with them.
 */
export function createAppendGroups(options: AppendGroupsOptions): AppendGroups {
  const { delayMs, healthDelayMs, maxRows, maxHealthRows, send } = options
  let waiting: Waiting[] = []
  let rows = 0
  let isUrgent = false
  let timer: NodeJS.Timeout | null = null

  function flush(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    isUrgent = false
    rows = 0
    const group = waiting
    waiting = []
    if (group.length > 0) void sendGroup(group)
  }

  async function sendGroup(group: readonly Waiting[]): Promise<void> {
    try {
      const results = await send(group.map(({ request }) => request))
      for (const [index, { resolve, reject }] of group.entries()) {
        const result = results[index]
        if (result?.outcome !== undefined) resolve(result.outcome)
        else reject(failed(result?.reason ?? 'it was not answered'))
      }
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }

  return {
    flush,
    append(request) {
      return new Promise((resolve, reject) => {
        waiting.push({ request, resolve, reject })
        rows += request.samples.length
        const isFirstUrgent = !isUrgent && !isRound(request)
        isUrgent ||= isFirstUrgent
        if (rows >= (isUrgent ? maxRows : maxHealthRows)) {
          flush()
          return
        }
        if (timer !== null && !isFirstUrgent) return
        if (timer !== null) clearTimeout(timer)
        timer = setTimeout(flush, isUrgent ? delayMs : healthDelayMs)
      })
    },
  }
}

/** Tell whether a message is a node's round of own measurements. */
function isRound({ samples }: AppendRequest): boolean {
  return samples.length <= maxRoundRows && samples.every(({ scope }) => scope === nodeScope)
}

function failed(reason: string): LabError {
  return new LabError('LAB_TELEMETRY_FAILED', { what: 'commit samples', reason })
}
