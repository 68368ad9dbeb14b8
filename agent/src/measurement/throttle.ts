/** A task that runs on request, one run at a time. See {@link createThrottle}. */
export interface Throttle {
  /** Request a run. Several calls before a run begins make one run. Calls during a run make one more run after it. */
  ask(): void
  /** Start no more runs. Settles when a current run has ended. */
  stop(): Promise<void>
}

/**
 * Make a throttle. The task runs at once when its last run began more than `gapMs` ago, otherwise `gapMs` after that. So a single event is handled without
 * delay, and many events are handled in groups. Errors of the task are not caught here.
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

  /** Tell whether a run was requested during the current one. This is a function because the compiler assumes that the variable is unchanged. */
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
