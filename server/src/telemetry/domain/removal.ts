import type { Removal, RemovalReason } from './sealing.ts'

/** What is told of the rows of a measurement that were removed for one reason: the fields of a row of `dropped`. */
export interface ToldRemoval {
  readonly lines: number
  readonly reason: string
}

/**
 * Say which rows of a scope are removed and why, in a row for each measurement and reason. `days` and `bytes` are what the scope keeps. Rows of the measurement that tells this are
 * left out: the list of measurements counts them.
 */
export function tellRemovals(
  removals: readonly Removal[],
  {
    days,
    bytes,
    except,
  }: { readonly days: number; readonly bytes: number; readonly except: string },
): readonly ToldRemoval[] {
  const told = removals.filter(({ file }) => file.name !== except)
  const groups = Map.groupBy(told, ({ file, reason }) => `${reason} ${file.name}`)
  return [...groups.values()].map((group) => {
    const files = group.map(({ file }) => file)
    const firstUs = Math.min(...files.map((file) => file.firstUs))
    const lastUs = Math.max(...files.map((file) => file.lastUs))
    const [first] = group
    const what = `${first?.file.name ?? ''} from ${timeOf(firstUs)} to ${timeOf(lastUs)}`
    const why = first === undefined ? '' : because(first.reason, { days, bytes })
    return {
      lines: files.reduce((sum, { rows }) => sum + rows, 0),
      reason: `removed by the server: ${what}; ${why}`,
    }
  })
}

function because(reason: RemovalReason, { days, bytes }: { days: number; bytes: number }): string {
  return reason === 'age'
    ? `rows are kept for ${days} days`
    : `no more than ${sizeOf(bytes)} are kept, and the oldest go first`
}

function sizeOf(bytes: number): string {
  return bytes < 1024 ** 3 ? `${bytes} bytes` : `${Math.round(bytes / 1024 ** 3)} GiB`
}

function timeOf(us: number): string {
  return new Date(us / 1000).toISOString()
}
