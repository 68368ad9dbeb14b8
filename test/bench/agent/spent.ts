import { readFileSync } from 'node:fs'

/** What a program has spent on rows. */
export interface Spent {
  readonly rows: number
  /** The bytes that it has sent for them. */
  readonly bytes: number
  /** Processor time in seconds, by process. */
  readonly cpuS: Readonly<Record<string, number>>
  /** Its memory in MiB, before and after. */
  readonly residentMiB: readonly [before: number, after: number]
}

/** Read what a process has spent until now, with all its threads and without its children. Source: proc(5); USER_HZ is 100, and a page has 4 KiB. */
export function readProcess(pid: number | undefined): {
  readonly cpuS: number
  readonly residentMiB: number
} {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')
  return {
    cpuS: (Number(fields[11]) + Number(fields[12])) / 100,
    residentMiB: (Number(status[1]) * 4) / 1024,
  }
}
