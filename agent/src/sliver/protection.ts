import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { containerConfiguration } from './domain/container.ts'
import { bundleProgram } from './host/bundle.ts'
import { findCoreLimit } from './host/core-dumps.ts'
import { firstProgram } from './container.ts'
import { boundFolders } from './store/root.ts'

/**
 * Identify the protection that this agent gives to a container at its creation and does not change later: capabilities, system calls, mounts, process limits,
 * and the arguments of the first program. The identity is the SHA-256 of the configuration without the parts that differ between slivers, and of the program
 * that makes the bundle's mounts.
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
    .update(withoutComments(await readFile(bundleProgram, 'utf8')))
    .digest('hex')
}

/** Return a Perl program without the lines that are comments, which protect nothing. */
function withoutComments(program: string): string {
  return program.replace(/^\s*#.*\n/gmu, '')
}
