/** What the supervisor of a run has written into the file `state` of the run's folder; see `agent/perl/run.pl`. */
export interface RunProgress {
  /** The last supervisor; null: none has begun. */
  readonly supervisor: {
    readonly pid: number
    readonly startTicks: number
    readonly bootId: string
  } | null
  /** The program; null: there is none yet, or it was gone at once. */
  readonly program: { readonly pid: number; readonly startTicks: number } | null
  /** When the program was let run, in microseconds since the epoch; null: it has not begun. */
  readonly begunUs: number | null
  readonly end: RunEndNote | null
}

/** How a program has ended, as its supervisor has written it down. */
export interface RunEndNote {
  /** null: it could not be started. */
  readonly timeUs: number | null
  readonly exitCode: number | null
  readonly signal: number | null
  readonly reason: 'exited' | 'limit' | 'cancelled' | 'sliver_ended' | 'lost' | 'failed'
  /** Why it could not be started; null: it could. */
  readonly message: string | null
  readonly outputBytes: number
  readonly lostBytes: number
  /** Whether the supervisor has written a line `run_end` into the sliver's FIFO, as those of earlier versions did. */
  readonly hasEndRow: boolean
  /** How many processes of the sliver the kernel has killed meanwhile because there was no memory left. */
  readonly killed: number
}

const reasons = ['exited', 'limit', 'cancelled', 'sliver_ended', 'lost'] as const

/** Parse the state of a run. A line that is not complete, or of another form, counts as absent. */
export function parseState(text: string): RunProgress {
  let progress: RunProgress = { supervisor: null, program: null, begunUs: null, end: null }
  // What follows the last newline was not written completely.
  for (const line of text.split('\n').slice(0, -1)) progress = { ...progress, ...parseLine(line) }
  return progress
}

function parseLine(line: string): Partial<RunProgress> {
  const [word, ...rest] = line.split(' ')
  switch (word) {
    case 'supervisor': {
      const [pid, startTicks] = rest.map(Number)
      const bootId = rest[2]
      if (!isCount(pid) || !isCount(startTicks) || bootId === undefined) return {}
      return { supervisor: { pid, startTicks, bootId } }
    }
    case 'started': {
      const [pid, startTicks] = rest.map(Number)
      return isCount(pid) && isCount(startTicks) ? { program: { pid, startTicks } } : {}
    }
    case 'begun': {
      const begunUs = Number(rest[0])
      return isCount(begunUs) ? { begunUs } : {}
    }
    case 'failed':
      return {
        end: {
          ...{ timeUs: null, exitCode: null, signal: null, reason: 'failed' },
          ...{ message: rest.join(' '), outputBytes: 0, lostBytes: 0 },
          ...{ hasEndRow: false, killed: 0 },
        },
      }
    case 'ended':
      return parseEnd(rest)
    default:
      return {}
  }
}

function parseEnd(rest: readonly string[]): Partial<RunProgress> {
  const [time, code, signal, found, bytes, lost, endRow, kills] = rest
  const reason = reasons.find((one) => one === found)
  const [timeUs, outputBytes, lostBytes] = [time, bytes, lost].map(Number)
  if (reason === undefined || endRow === undefined) return {}
  if (!isCount(timeUs) || !isCount(outputBytes) || !isCount(lostBytes)) return {}
  const numbers = { exitCode: maybeNumber(code), signal: maybeNumber(signal) }
  const hasEndRow = endRow === '1'
  // A supervisor of an earlier version does not count them.
  const killed = maybeNumber(kills) ?? 0
  return {
    end: { timeUs, ...numbers, reason, message: null, outputBytes, lostBytes, hasEndRow, killed },
  }
}

function maybeNumber(text: string | undefined): number | null {
  const value = Number(text)
  return isCount(value) ? value : null
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0
}
