import { performance } from 'node:perf_hooks'

/** After this time without work for the processor, an import waits for something, in milliseconds. */
const waitMs = 3000
/** A module that loads, or computes something, keeps the process busy for a greater part of the time. */
const mostBusy = 0.5

/** Options of {@link watchImport}. */
export interface WatchOptions {
  /** Tell whether the cell still waits for the import. */
  isNeeded(): boolean
  /** Called once if the import waits. */
  onWaiting(): void
}

/** Return the result of an import. If it waits for a long time, such as for a top-level await that never ends, say so once. */
export async function watchImport<Module>(
  imported: Promise<Module>,
  { isNeeded, onWaiting }: WatchOptions,
): Promise<Module> {
  let before = performance.eventLoopUtilization()
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    const isWaiting = utilization < mostBusy
    if (isWaiting || !isNeeded()) clearInterval(timer)
    if (isWaiting && isNeeded()) onWaiting()
  }, waitMs)
  try {
    return await imported
  } finally {
    clearInterval(timer)
  }
}
