import { realpath } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { LabError, type VctStatus } from '@community-lab/contract'
import { createControlClient } from '../control/client.ts'
import { sweep } from '../launch/sweep.ts'
import { foldersOf, type Folders } from '../pod/folders.ts'
import { findHolder, takeLock, type ForeignLock } from '../pod/lock.ts'
import { sendSignal } from '../process/tree.ts'
import { doStep, type Say } from '../progress.ts'

/** The most time for the end of a testbed before its launcher is killed, in milliseconds. */
const patienceMs = 30_000

/**
 * Stop the testbed of a home, wherever it was started and however far its start is, and remove the leftovers of a killed one. Settles when nothing is left.
 * Without a running testbed, only leftovers are removed.
 */
export async function takeDown(home: string, say: Say, signal: AbortSignal): Promise<void> {
  await doStep(say, 'stop', async (note) => {
    const folders = await existingFolders(home)
    const found = await findHolder(folders.hash)
    if (found === null) note('none runs')
    else await end(found, signal)
    await using _lock = await takeLock(folders, { state: 'sweeping', url: '' })
    await sweep(folders)
  })
}

async function end({ holder, released, close }: ForeignLock, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  try {
    if (holder.state === 'running') sendSignal(holder.pid, 'SIGTERM')
    const timer = delay(patienceMs, 'late', {
      signal: AbortSignal.any([signal, over.signal]),
    })
    if ((await Promise.race([released, timer])) !== 'late') return
    // This also kills its pod.
    sendSignal(holder.pid, 'SIGKILL')
    await released
  } finally {
    over.abort()
    close()
  }
}

/** Read the status of a home's testbed. @throws {@link LabError} LAB_VCT_NOT_RUNNING. */
export async function readStatus(home: string, signal: AbortSignal): Promise<VctStatus> {
  const { vctSocket } = await existingFolders(home)
  try {
    return await createControlClient(vctSocket).status(signal)
  } catch (cause) {
    if (!LabError.is(cause, 'LAB_CONNECTION_FAILED')) throw cause
    throw new LabError('LAB_VCT_NOT_RUNNING', { home }, { cause })
  }
}

async function existingFolders(home: string): Promise<Folders> {
  const real = await realpath(home).catch((cause: unknown) => {
    throw new LabError('LAB_VCT_NOT_RUNNING', { home }, { cause })
  })
  return foldersOf(real)
}
