/** A task that runs when asked, one run at a time. See {@link createThrottle}. */
export interface Throttle {
  /** Let the task run soon. Several calls before a run begins make one run. Calls during a run make one more run after it. */
  ask(): void
  /** Let no run begin any more. Settles when a run that is under way has ended. */
  stop(): Promise<void>
}

/**
 * Run a task when it is asked for. It runs at once when the last run began more than `gapMs` ago, else `gapMs` after that. So a single event is handled
 * without delay, and many events are handled in groups. Errors of the task are not caught here.
 */
export function createThrottle(task: () => Promise<void>, gapMs: number): Throttle {
  let timer: NodeJS.Timeout | null = null
  let running: Promise<void> | null = null
  let isAsked: boolean = false
  let stopped = false
  let beganMs = Number.NEGATIVE_INFINITY

  function ask(): void {
    if (stopped) return
    isAsked = true
    if (running !== null || timer !== null) return
    const waitMs = Math.max(0, beganMs + gapMs - performance.now())
    timer = setTimeout(() => {
      timer = null
      running = run()
    }, waitMs)
  }

  /** Whether it was asked for during the run. This is a function because the compiler takes the variable to be unchanged. */
  function wasAsked(): boolean {
    return isAsked
  }

  async function run(): Promise<void> {
    isAsked = false
    beganMs = performance.now()
    try {
      await task()
    } finally {
      running = null
    }
    if (wasAsked()) ask()
  }

  return {
    ask,
    async stop() {
      stopped = true
      if (timer !== null) clearTimeout(timer)
      timer = null
      await running
    },
  }
}
