import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { expect, it } from 'vitest'
import { rebootWith } from '../../../agent/src/reboot.ts'
import { runCommand } from '../../../agent/src/sliver/host/command.ts'

const { signal } = new AbortController()

it('an abort ends a command with what it has started, also when that holds its output open', async () => {
  const ending = new AbortController()
  const file = `/tmp/command-test-${process.pid}`
  const script = `sleep 600 & echo $! > ${file}; wait`
  const running = runCommand(['sh', '-c', script], { signal: ending.signal })
  await expect.poll(() => readFile(file, 'utf8').catch(() => '')).toMatch(/\d/u)
  ending.abort()
  await expect(running).rejects.toThrow('aborted')
  const pid = Number(await readFile(file, 'utf8'))
  await runCommand(['rm', file])
  await expect.poll(() => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'Z')).toContain('Z')
})

it('an abort is not held up by what has left the command and holds its output open', async () => {
  const running = runCommand(['sh', '-c', 'setsid sleep 5 & wait'], {
    signal: AbortSignal.timeout(100),
  })
  await expect(running).rejects.toThrow('timeout')
})

it('a reboot command that hangs has failed when its time is over', async () => {
  await expect(rebootWith('sleep 600', 0.1)(signal)).rejects.toThrow('has not ended 0.1 s later')
  await expect(rebootWith('true', 0.1)(signal)).rejects.toThrow('still up 0.1 s later')
  await expect(rebootWith('false', 0.1)(signal)).rejects.toThrow('ended with 1')
})
