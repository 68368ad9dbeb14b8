import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { expect, it } from 'vitest'
import { runCommand } from '../../../../agent/src/sliver/host/command.ts'
import { stateOf } from '../../../../agent/src/sliver/host/process.ts'
import { aFrozenDisk } from './world/frozen-disk.ts'

it.runIf(process.getuid?.() === 0)(
  'waits no longer for a command that was aborted and that the kernel does not end (state D)',
  async () => {
    await using disk = await aFrozenDisk()
    const asked = new AbortController()
    const running = runCommand(['sh', '-c', `echo 1 > ${disk.path}/file`], { signal: asked.signal })
    await expect.poll(statesOfChildren).toContain('D')
    asked.abort(new Error('enough'))
    await expect(running).rejects.toThrow('enough')
  },
)

async function statesOfChildren(): Promise<readonly (string | null)[]> {
  const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
  return children
    .trim()
    .split(' ')
    .map((child) => stateOf(Number(child)))
}
