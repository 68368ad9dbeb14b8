import { readFile } from 'node:fs/promises'
import { isAbsent } from '../../errno.ts'
import { chooseCoreLimit, describeCrashHandler, type CoreLimit } from '../domain/core-dumps.ts'

/** Find the core dump limit that slivers can get on this host. */
export async function findCoreLimit(): Promise<CoreLimit> {
  return chooseCoreLimit(await readFile('/proc/self/limits', 'utf8'))
}

/** Find out whether slivers can start this host's crash handler. Returns what the node lacks in that case, in words; null: they cannot. */
export async function probeCrashHandler(): Promise<string | null> {
  const pattern = await readFile('/proc/sys/kernel/core_pattern', 'utf8').catch(
    (error: unknown) => {
      // The file is absent in a kernel without core dumps.
      if (isAbsent(error)) return ''
      throw error
    },
  )
  return describeCrashHandler(pattern, await findCoreLimit())
}
