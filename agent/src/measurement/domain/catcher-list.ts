/** The version of the two lists with which agent and catcher communicate. */
export const catcherListVersion = 3

/**
 * One of the two lists in the catcher's folder: `wanted`, written by the agent, and `caught`, the catcher's answer. Both are text:
 *
 *     <version> <serial> <writer>
 *     <folder><tab><value>          for each sliver
 *     end <serial>
 *
 * `caught` is overwritten in place, so a reader may see only a part of it. Then its last line does not have the serial of the first line. `wanted` is replaced,
 * so it is always complete, except that agents of version 0.1 overwrote it on a full disk.
 */
export interface CatcherList {
  /** {@link catcherListVersion}, or the version of an older agent or catcher. */
  readonly version: number
  /** It grows with each change of `wanted`. An answer has the serial of the list that it answers. */
  readonly serial: number
  /** The id of the host's boot in which the agent wrote it, or the pid of the catcher. */
  readonly writer: string
  /** For each sliver's folder, a {@link CatcherTask} as text, or the state of that task: `ok`, `ended`, or why it has failed. */
  readonly entries: ReadonlyMap<string, string>
}

/** The catcher's task for a FIFO: catch what is written to it, or catch the rest and close it. */
export interface CatcherTask {
  readonly task: 'catch' | 'end'
  readonly fifo: string
}

/** Serialize a list in this version. */
export function formatCatcherList({
  serial,
  writer,
  entries,
}: Omit<CatcherList, 'version'>): string {
  const lines = [...entries].map(([folder, value]) => `${folder}\t${value}`)
  return [`${catcherListVersion} ${serial} ${writer}`, ...lines, `end ${serial}`, ''].join('\n')
}

/** Parse a list; null when it is incomplete, or of a newer version. */
export function parseCatcherList(text: string): CatcherList | null {
  const lines = text.split('\n')
  const [version, serial, writer = ''] = (lines.shift() ?? '').split(' ')
  if (!/^\d+$/u.test(version ?? '') || Number(version) > catcherListVersion) return null
  if (!/^-?\d+$/u.test(serial ?? '')) return null
  if (lines.pop() !== '' || lines.pop() !== `end ${serial}`) return null
  const entries = lines.map((line): [string, string] => {
    const tab = line.indexOf('\t')
    return [line.slice(0, tab), line.slice(tab + 1)]
  })
  return { version: Number(version), serial: Number(serial), writer, entries: new Map(entries) }
}

/** Serialize a task as the value of an entry. */
export function formatTask({ task, fifo }: CatcherTask): string {
  return `${task}\t${fifo}`
}

/** Parse the value of an entry of `wanted`. In version 1 it is the path of a FIFO to catch. */
export function parseTask(value: string): CatcherTask {
  const [, task, fifo] = /^(catch|end)\t(.+)$/u.exec(value) ?? []
  return fifo === undefined
    ? { task: 'catch', fifo: value }
    : { task: task === 'end' ? 'end' : 'catch', fifo }
}
