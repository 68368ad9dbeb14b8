import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { LogFile } from '../../../server/vct/src/process/log-file.ts'

const run = promisify(execFile)

it.runIf(process.getuid?.() === 0)(
  'a full disk ends no process that logs: what does not fit is counted, and told once there is room',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'log-file-'))
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'log-test', dir])
    try {
      await writeFile(join(dir, 'fill'), '')
      const log = new LogFile(join(dir, 'agent.log'))
      log.write(Buffer.from('first\n'))
      await run('sh', ['-c', `dd if=/dev/zero of=${dir}/fill 2>/dev/null || true`])
      for (let round = 0; round < 100; round++) log.write(Buffer.alloc(1024, 'x'))
      log.write(Buffer.from('the last words\n'))
      expect(log.lastLine).toBe('the last words')
      await rm(join(dir, 'fill'))
      log.note('there is room again')
      log.close()
      const text = await readFile(join(dir, 'agent.log'), 'utf8')
      expect(text).toMatch(/^first\n/u)
      expect(text).toMatch(/\n--- \S+ \d+ bytes of this log were lost: ENOSPC/u)
      expect(text).toMatch(/there is room again\n$/u)
    } finally {
      await run('umount', [dir])
      await rm(dir, { recursive: true })
    }
  },
)

it('one whose folder is gone ends nothing', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'log-file-'))
  const log = new LogFile(join(dir, 'agent.log'))
  log.write(Buffer.from('begun\n'))
  await rm(dir, { recursive: true })
  for (let round = 0; round < 3; round++) log.write(Buffer.alloc(3 << 20, 'x'))
  expect(() => log.note('it goes on')).not.toThrow()
  log.close()
})
