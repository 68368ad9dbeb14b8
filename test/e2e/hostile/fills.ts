import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { foldersOf } from '../../../server/vct/src/pod/folders.ts'
import { attackBeside, nothingNoticed, type HostileWorld } from './world.ts'

const mebibyte = 1024 * 1024
/** What one sliver's caught lines may take, and the chunk and the line that may be on the way when it is reached. */
const caughtBytes = 16 * mebibyte + 128 * 1024

/** Attacks that write as much as they can where the node keeps it. */
export function attackWithFills(world: () => HostileWorld): void {
  it('cannot fill the disk of its node with zeros while the server is away and the agent is killed', async () => {
    const { testbed, hostile } = world()
    const before = await nodeBytes(world(), 'spool')
    const seen = await attackBeside(world(), async () => {
      const zeros = await hostile.run('zeros', {
        script: `timeout 8 cat /dev/zero > /run/community-lab/measure
# So that the next line is one of its own.
echo > /run/community-lab/measure`,
      })
      await testbed.control.server('kill')
      await testbed.control.node('n1', 'kill-agent')
      await delay(4_000)
      await testbed.control.server('start')
      await zeros.done({ timeoutMs: 60_000 })
      await testbed.settled()
    })
    // Its agent was away for a moment, and does not measure meanwhile.
    expect(seen).toEqual({ ...nothingNoticed(seen), healthRows: seen.healthRows })
    expect(seen.healthRows).toBeGreaterThanOrEqual(Math.floor(seen.seconds - seen.longestAwayS) - 1)
    expect(await nodeBytes(world(), 'catchers')).toBeLessThan(caughtBytes)
    expect((await nodeBytes(world(), 'spool')) - before).toBeLessThan(8 * mebibyte)
  })
}

/** Bytes in a folder of n1's agent. */
async function nodeBytes({ testbed }: HostileWorld, folder: string): Promise<number> {
  const root = join(foldersOf(testbed.home).nodeData('n1'), folder)
  const names = await readdir(root, { recursive: true })
  const sizes = await Promise.all(
    names.map(async (name) => {
      const found = await stat(join(root, name)).catch(() => null)
      return found?.isFile() === true ? found.size : 0
    }),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
