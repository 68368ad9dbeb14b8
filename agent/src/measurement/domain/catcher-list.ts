/** The version of the two lists by which agent and catcher speak, and of the files in which a catcher keeps lines. */
export const catcherVersion = 1

/**
 * One of the two lists in the catcher's folder: what is wanted, written by the agent, and what is caught, written by the catcher. Both are text:
 *
 *     <version> <serial> <writer>
 *     <folder><tab><value>          for each sliver
 *     end <serial>
 *
 * They are overwritten in place, so a reader may see a part of one. Its last line then lacks the serial of the first line.
 */
export interface CatcherList {
  /** Grows with each change of what is wanted. */
  readonly serial: number
  /** The boot of the host in which it was written, or the pid of the catcher. */
  readonly writer: string
  /** For each sliver's folder its FIFO, or `ok`, or why it isn't caught. */
  readonly entries: ReadonlyMap<string, string>
}

/** Write a list. */
export function formatCatcherList({ serial, writer, entries }: CatcherList): string {
  const lines = [...entries].map(([folder, value]) => `${folder}\t${value}`)
  return [`${catcherVersion} ${serial} ${writer}`, ...lines, `end ${serial}`, ''].join('\n')
}

/** Read a list; null when it is not whole, or of another version. */
export function parseCatcherList(text: string): CatcherList | null {
  const lines = text.split('\n')
  const [version, serial, writer = ''] = (lines.shift() ?? '').split(' ')
  if (version !== String(catcherVersion) || !/^-?\d+$/u.test(serial ?? '')) return null
  if (lines.pop() !== '' || lines.pop() !== `end ${serial}`) return null
  const entries = lines.map((line): [string, string] => {
    const tab = line.indexOf('\t')
    return [line.slice(0, tab), line.slice(tab + 1)]
  })
  return { serial: Number(serial), writer, entries: new Map(entries) }
}
