import { LabError } from '@community-lab/contract'
import { runCommand } from '../host/command.ts'

/** Options of {@link unpack}. */
export interface UnpackOptions {
  /** The name of the template, for errors. */
  readonly template: string
  readonly signal: AbortSignal
  /** The most time, in milliseconds; default 15 minutes, as a large image takes on a slow device. */
  readonly withinMs?: number
}

const defaultWithinMs = 15 * 60_000
/** What the system says when the node is at fault, and not the image. Source: errno(3). */
const faultOfNode =
  /No space left on device|Disk quota exceeded|Input\/output error|Read-only file system|Cannot allocate memory/u
/** tar names each file that it refuses; the first ones tell what is wrong. */
const mostReason = 500

/**
 * Unpack an image with the user and group ids in it. An image is a stranger's, so nothing of it may leave the folder: tar refuses names with `..`, takes the root from
 * absolute ones, and makes links only after all files, so that it writes through none of the archive's own. Devices are left out, wherever they are: the runtime makes
 * those of a sliver, and any other would be a way to the hardware of the node. When this returns, all files are on the disk.
 *
 * @throws {@link LabError} LAB_TEMPLATE_BROKEN with tar's words; the signal's reason.
 */
export async function unpack(
  archive: string,
  to: string,
  { template, signal, withinMs = defaultWithinMs }: UnpackOptions,
): Promise<void> {
  const owners = ['--numeric-owner', '--same-owner', '--same-permissions']
  const devices = ['--exclude=./dev/*', '--exclude=dev/*']
  const argv = ['tar', '--extract', '--gzip', ...owners, ...devices, '--file', archive, '-C', to]
  const late = AbortSignal.timeout(withinMs)
  const broken = (reason: string, cause: unknown): LabError =>
    new LabError('LAB_TEMPLATE_BROKEN', { template, reason }, { cause })
  try {
    await runCommand(argv, { signal: AbortSignal.any([signal, late]) })
  } catch (cause) {
    signal.throwIfAborted()
    if (late.aborted) throw broken(`unpacking it takes more than ${withinMs / 1000} s`, cause)
    if (!LabError.is(cause, 'LAB_SLIVER_COMMAND_FAILED')) throw cause
    const { reason } = cause.details
    // Without words of tar or gzip, something else has ended it, such as a lack of memory.
    if (!/\b(?:tar|gzip):/u.test(reason) || faultOfNode.test(reason)) throw cause
    throw broken(reason.slice(0, mostReason), cause)
  }
  const isDevice = ['(', '-type', 'b', '-o', '-type', 'c', ')']
  await runCommand(['find', to, '-xdev', ...isDevice, '-delete'], { signal })
  await runCommand(['sync', '--file-system', to], { signal })
}
