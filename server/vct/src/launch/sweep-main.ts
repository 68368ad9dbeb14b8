import process from 'node:process'
import { LabError } from '@community-lab/contract'
import { foldersOf } from '../pod/folders.ts'
import { takeLock } from '../pod/lock.ts'
import { sweep } from './sweep.ts'

/** Sweep after a launcher that was killed. The only argument is the home. Does nothing when a new testbed has taken the lock of the home meanwhile. */
async function main(): Promise<void> {
  const folders = foldersOf(process.argv[2] ?? '')
  try {
    await using _lock = await takeLock(folders, { state: 'sweeping', url: '' })
    await sweep(folders)
  } catch (error) {
    // The new testbed has swept before its start.
    if (!LabError.is(error, 'LAB_VCT_RUNNING')) throw error
  }
}

await main()
