import { open } from 'node:fs/promises'
import { LabError } from '@community-lab/contract'
import { isProcessGone } from '../../errno.ts'
import { isAlive, type ProcessIdentity } from './process.ts'

/** A namespace that is held open: it stays the same even after its process has ended. */
export interface HeldNamespace extends AsyncDisposable {
  /** The path of the namespace for commands that this process starts. */
  readonly path: string
}

/**
 * Hold a namespace of a process open. The process is checked after the namespace was opened: if it still is the same process, its pid was not reused before,
 * and the namespace is that of the process.
 *
 * @throws {@link LabError} LAB_SLIVER_ENDED when the process is gone.
 */
export async function holdNamespace(
  of: ProcessIdentity,
  kind: 'net' | 'pid',
  sliver: string,
): Promise<HeldNamespace> {
  const reason = `its first process, ${of.pid}, is gone`
  const handle = await open(`/proc/${of.pid}/ns/${kind}`).catch((error: unknown) => {
    if (isProcessGone(error)) throw new LabError('LAB_SLIVER_ENDED', { sliver, reason })
    throw error
  })
  try {
    if (!isAlive(of)) throw new LabError('LAB_SLIVER_ENDED', { sliver, reason })
  } catch (error) {
    await handle.close()
    throw error
  }
  return {
    path: `/proc/${process.pid}/fd/${handle.fd}`,
    [Symbol.asyncDispose]: () => handle.close(),
  }
}
