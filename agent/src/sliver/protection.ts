import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { containerConfiguration } from './domain/container.ts'
import { bundleProgram } from './host/bundle.ts'
import { findCoreLimit } from './host/core-dumps.ts'
import { firstProgram } from './container.ts'
import { boundFolders } from './store/root.ts'

/**
 * Identify what this agent protects its host with when it creates a container, and does not change afterwards: capabilities, system calls, mounts, limits of
 * processes, the arguments of the first program. It is the SHA-256 of the configuration without what is each sliver's own, and of the program that makes the
 * bundle's mounts.
 *
 * @param arch - the processor, as Node.js names it.
 */
export async function protectionSha256(arch: string): Promise<string> {
  const configuration = containerConfiguration({
    rootPath: '',
    hostname: '',
    args: firstProgram,
    ids: [],
    bound: Object.values(boundFolders).map((destination) => ({ source: '', destination })),
    cgroupsPath: null,
    coreLimit: await findCoreLimit(),
    arch,
    seccompProgram: null,
  })
  return createHash('sha256')
    .update(JSON.stringify(configuration))
    .update(await readFile(bundleProgram))
    .digest('hex')
}
