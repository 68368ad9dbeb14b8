/** A task that runs when asked, one run at a time. See {@link createThrottle}. */
export interface Throttle {
  /** Run soon; asks that come before a run begins are one, asks during a run make another one after it. */
  ask(): void
  /** No run begins after this; settles when the one under way has ended. */
  stop(): Promise<void>
}

/**
 * Run a task when it is asked for: at once when the last run began long enough ago, else `gapMs` after it began. So a single event is met without
 * delay, and a flood of them is met in groups. What the task throws is not caught here.
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

  /** Asked while it ran; a function, for the compiler cannot know of that. */
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
