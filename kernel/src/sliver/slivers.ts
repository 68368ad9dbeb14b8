import { LabError, type Sliver as SliverObject } from '@community-lab/contract'
import {
  abortSignal,
  checkArgument,
  checkOptions,
  durationMs,
  either,
  fileMap,
  named,
  wholeNumber,
  words,
} from '../argument.ts'
import type { Session } from '../session.ts'
import { packFiles, type Files } from '@community-lab/contract/files'
import { unpackCommand } from '../ssh/archive.ts'
import type { Execution } from '../ssh/exec.ts'
import { collectResults, requireOk, type CommandResults } from '../ssh/result.ts'
import { mapBounded } from '../wait/concurrency.ts'
import type { SliverOrNode } from './slice-handle.ts'
import { runInside, Sliver, updateSliver } from './sliver.ts'

/** The most slivers that are worked on at the same time. */
const concurrency = 64

const filesKind = either(words, fileMap)
const uploadKinds = {
  mode: wholeNumber(0, 0o7777),
  timeoutMs: durationMs,
  signal: abortSignal,
}

/** Options of an upload. */
export interface UploadOptions {
  /** The mode of all files, instead of their own. */
  readonly mode?: number
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** What {@link uploadToAll} sends, and to which folder. */
export interface Upload extends UploadOptions {
  readonly files: Files
  readonly remoteDir: string
  readonly signal: AbortSignal
}

/** Check the arguments of an upload. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function checkUpload(files: unknown, remoteDir: unknown, options: unknown): void {
  checkArgument('what to upload', files, filesKind)
  checkArgument('the folder of the slivers that it goes to', remoteDir, words)
  checkOptions('upload', options, uploadKinds)
}

/** What {@link makeSlivers} needs besides the slivers' state. */
export interface SliversSource {
  readonly session: Session
  /** Returns the number of resets of all slivers of the slice. */
  readonly sliceInstanceSn: () => number
}

/** Make the handles of slivers, in the order of the ids of their nodes. A sliver that has a handle among `known` keeps it. */
export function makeSlivers(
  { session, sliceInstanceSn }: SliversSource,
  objects: readonly SliverObject[],
  known: readonly Sliver[] = [],
): readonly Sliver[] {
  const handles = new Map(known.map((sliver) => [sliver.id, sliver]))
  return objects
    .toSorted((one, other) => one.node.id - other.node.id)
    .map((object) => {
      const sliver = handles.get(object.id)
      if (sliver === undefined) return new Sliver(session, object, sliceInstanceSn)
      updateSliver(sliver, object)
      return sliver
    })
}

/** Return the id of a sliver, or the name of a node, by which a user names a sliver. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function nameOf(which: SliverOrNode): string {
  if (which instanceof Sliver) return which.id
  checkArgument('the sliver', which, named)
  return typeof which === 'string' ? which : which.name
}

/** Find a sliver of a slice by itself, its id, its node or the name of that. @throws {@link LabError} LAB_SLIVER_UNKNOWN. */
export function findSliver(slivers: readonly Sliver[], which: SliverOrNode, slice: string): Sliver {
  const name = nameOf(which)
  const found = slivers.find((sliver) => sliver.id === name || sliver.node === name)
  if (found !== undefined) return found
  throw new LabError('LAB_SLIVER_UNKNOWN', { slice, name, known: slivers.map(({ node }) => node) })
}

/** Run a command on each of some slivers. */
export async function runOnAll(
  slivers: readonly Sliver[],
  command: string,
  options: Omit<Execution, 'command'>,
): Promise<CommandResults> {
  return collectResults(
    await mapBounded(slivers, concurrency, (sliver) => runInside(sliver, command, options)),
  )
}

/** Put files into a folder of each of some slivers. See `Slice.upload`. @throws {@link LabError} LAB_COMMAND_FAILED, LAB_ARGUMENT_INVALID. */
export async function uploadToAll(
  slivers: readonly Sliver[],
  { files, remoteDir, mode, ...options }: Upload,
): Promise<CommandResults> {
  const input = await packFiles(files, { mode })
  const results = await runOnAll(slivers, unpackCommand(remoteDir), { ...options, input })
  requireOk(results, 'the upload')
  return results
}
