import { open } from 'node:fs/promises'
import { LabError } from '@community-lab/contract'
import { isProcessGone } from '../../errno.ts'
import { isAlive, type ProcessIdentity } from './process.ts'

/** A namespace that is held open: it stays the same one whatever becomes of the process it was found by. */
export interface HeldNamespace extends AsyncDisposable {
  /** Where commands that this process starts find it. */
  readonly path: string
}

/**
 * Hold a namespace of a process. The process is looked at after the namespace has been opened: when it is this very process then, the pid has not been given to
 * another one meanwhile, and the namespace is its own.
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
