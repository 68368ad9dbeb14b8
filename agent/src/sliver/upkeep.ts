import type { MemberError } from '@community-lab/contract'
import type { NetworkChange } from './host/changes.ts'

/** Something on the host that was not as the agent had set it, or not as it needs it. */
export interface Finding {
  /** JSON pointer to the member of the node that is concerned; empty: the node as a whole. */
  readonly member: string
  /** What was found and what was done, as a sentence with a code. */
  readonly message: string
}

/** A part of the host that the agent has set and checks. */
export interface UpkeepPart {
  /** The name of the part in the log. */
  readonly name: string
  /** The changes of the network after which the part is checked. All parts are also checked at intervals. */
  readonly after: readonly NetworkChange[]
  /** Compare the actual settings with the right ones, repair them, and return what was found. Must be safe at any time. Throws when it cannot check. */
  check(signal: AbortSignal): Promise<readonly Finding[]>
}

/** Options of {@link startUpkeep}. */
export interface UpkeepOptions {
  readonly parts: readonly UpkeepPart[]
  /** Reports changes of the network until the signal is aborted. */
  readonly watch: (onChange: (change: NetworkChange) => void, signal: AbortSignal) => Promise<void>
  /** The longest time between two checks, in milliseconds. */
  readonly everyMs: number
  readonly nowMs: () => number
  /** Called with each new finding, and with each error of a part. */
  readonly onFinding: (part: string, finding: Finding) => void
  readonly onError: (part: string, error: unknown) => void
}

/** Compares what the agent has set on the host with what is there, and mends it: after events, and at intervals. */
export interface Upkeep {
  /** The findings of the last hour, for the node's report: each once, the newest last. */
  readonly problems: readonly MemberError[]
  /** Check all parts now. Resolves when a check that began after this call is done. */
  check(): Promise<void>
  close(): Promise<void>
}

/** The delay of a check after an event, in milliseconds, so that simultaneous events make one check. */
const gatherMs = 10
/**
 * Return how long the agent waits after a check that took so long before an event causes the next check, in milliseconds. The agent's own work on slivers makes
 * dozens of events. So checks take at most a tenth of the time, and a change waits for at most a second.
 */
export function restAfterMs(lookMs: number): number {
  return Math.min(1_000, 9 * lookMs)
}

/** How long a finding stays in the report, in milliseconds. */
const reportedForMs = 3_600_000
const mostFindings = 20

/** Start checking. */
export function startUpkeep(options: UpkeepOptions): Upkeep {
  const { parts, nowMs } = options
  const ending = new AbortController()
  const findings = new Map<string, { readonly finding: Finding; readonly untilMs: number }>()
  let looking: Promise<void> = Promise.resolve()
  let next: Promise<void> | null = null
  let gathering: NodeJS.Timeout | null = null
  /** Whether a check is already scheduled. */
  let isDue = false
  /** The parts that the next check is for. */
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
      (found) => {
        for (const finding of found) addFinding(name, finding)
      },
      (error: unknown) => {
        if (!signal.aborted) options.onError(name, error)
      },
    )
  }

  function addFinding(part: string, finding: Finding): void {
    const isNew = !findings.delete(finding.message)
    findings.set(finding.message, { finding, untilMs: nowMs() + reportedForMs })
    for (const message of [...findings.keys()].slice(0, -mostFindings)) findings.delete(message)
    if (isNew) options.onFinding(part, finding)
  }

  /** Start a check when the current one has ended. All calls during one check share the next one. */
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
    // The end of the current check determines how long to rest.
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
      for (const [message, { untilMs }] of findings) if (untilMs <= now) findings.delete(message)
      return [...findings.values()].map(({ finding }) => finding)
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
