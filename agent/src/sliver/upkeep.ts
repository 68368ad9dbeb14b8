import type { MemberError } from '@community-lab/contract'
import type { NetworkChange } from './host/changes.ts'

/** Something that was not as the agent had set it, or as it needs it. */
export interface Finding {
  /** JSON pointer to the member of the node that it concerns; empty: the node as a whole. */
  readonly member: string
  /** What was found, and what was done; a sentence with a code. */
  readonly message: string
}

/** One kind of thing that the agent has set on the host. */
export interface UpkeepPart {
  /** What it is called in the log. */
  readonly name: string
  /** The changes of the network after which it is looked after. All parts are looked after by time. */
  readonly after: readonly NetworkChange[]
  /** Compare what is with what was set, mend it, and tell what was found. Must be safe at any moment; throws when it cannot look. */
  check(signal: AbortSignal): Promise<readonly Finding[]>
}

/** Options of {@link startUpkeep}. */
export interface UpkeepOptions {
  readonly parts: readonly UpkeepPart[]
  /** Calls back with what may have changed, until the signal ends it. */
  readonly watch: (onChange: (change: NetworkChange) => void, signal: AbortSignal) => Promise<void>
  /** The longest time between two looks, in milliseconds. */
  readonly everyMs: number
  readonly nowMs: () => number
  /** Called with each finding that is not told already, and with what a part throws. */
  readonly onFinding: (part: string, finding: Finding) => void
  readonly onError: (part: string, error: unknown) => void
}

/** Compares what the agent has set on the host with what is there, and mends it: after events, and at intervals. */
export interface Upkeep {
  /** The findings of the last hour, for the node's report: each once, the newest last. */
  readonly problems: readonly MemberError[]
  /** Look after all parts now. Settles when a look that began after this call is over. */
  check(): Promise<void>
  close(): Promise<void>
}

/** How long a look waits after an event, so that events which come together make one look, in milliseconds. */
const gatherMs = 10
/**
 * How long the agent rests after a look that took so long, in milliseconds, before an event makes it look again. The agent's own work on slivers makes
 * events by the dozen. So what looks take is a tenth of the time at most, and a change waits for a second at most.
 */
export function restAfterMs(lookMs: number): number {
  return Math.min(1_000, 9 * lookMs)
}

/** How long a finding stays in the report, in milliseconds. */
const tellForMs = 3_600_000
const mostTold = 20

/** Start looking. */
export function startUpkeep(options: UpkeepOptions): Upkeep {
  const { parts, nowMs } = options
  const ending = new AbortController()
  const told = new Map<string, { readonly finding: Finding; readonly untilMs: number }>()
  let looking: Promise<void> = Promise.resolve()
  let next: Promise<void> | null = null
  let gathering: NodeJS.Timeout | null = null
  /** Whether a look follows by itself. */
  let isDue = false
  /** The parts that the next look is for. */
  const due = new Set<UpkeepPart>()
  let restsUntilMs = Number.NEGATIVE_INFINITY

  async function look(): Promise<void> {
    const beganMs = nowMs()
    const now = parts.filter((part) => due.has(part))
    due.clear()
    for (const part of now) await lookAfter(part)
    const endedMs = nowMs()
    restsUntilMs = endedMs + restAfterMs(endedMs - beganMs)
  }

  async function lookAfter({ name, check }: UpkeepPart): Promise<void> {
    const { signal } = ending
    if (signal.aborted) return
    await check(signal).then(
      (findings) => {
        for (const finding of findings) note(name, finding)
      },
      (error: unknown) => {
        if (!signal.aborted) options.onError(name, error)
      },
    )
  }

  function note(part: string, finding: Finding): void {
    const isNew = !told.delete(finding.message)
    told.set(finding.message, { finding, untilMs: nowMs() + tellForMs })
    for (const message of [...told.keys()].slice(0, -mostTold)) told.delete(message)
    if (isNew) options.onFinding(part, finding)
  }

  /** Looks do not overlap; one that is asked for during another follows it, once for all who ask. */
  function lookNext(): Promise<void> {
    next ??= looking.then(() => {
      next = null
      looking = look()
      return looking
    })
    return next
  }

  function lookSoon(at: readonly UpkeepPart[]): void {
    for (const part of at) due.add(part)
    if (isDue || due.size === 0) return
    isDue = true
    // How long to rest is known at the end of the look under way.
    void looking.then(() => {
      if (ending.signal.aborted) return
      const waitMs = Math.max(gatherMs, restsUntilMs - nowMs())
      gathering = setTimeout(() => {
        isDue = false
        void lookNext()
      }, waitMs)
    })
  }

  const timer = setInterval(() => lookSoon(parts), options.everyMs)
  const watching = options.watch(
    (change) => lookSoon(parts.filter(({ after }) => after.includes(change))),
    ending.signal,
  )

  return {
    get problems() {
      const now = nowMs()
      for (const [message, { untilMs }] of told) if (untilMs <= now) told.delete(message)
      return [...told.values()].map(({ finding }) => finding)
    },
    check() {
      for (const part of parts) due.add(part)
      return lookNext()
    },
    async close() {
      ending.abort()
      clearInterval(timer)
      if (gathering !== null) clearTimeout(gathering)
      await Promise.all([watching, next, looking])
    },
  }
}
