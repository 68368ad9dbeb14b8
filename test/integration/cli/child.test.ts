import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { startChild } from '../../../server/cli/src/process/child.ts'

const childFile = fileURLToPath(
  new URL('../../../server/cli/src/process/child.ts', import.meta.url),
)

it('kills one that does not end when asked, with all that it started', async () => {
  const script = 'trap "" TERM; sleep 300 & echo ready; while :; do wait; done'
  const child = startChild(['sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  if (child.process.stdout === null) throw new TypeError('no output')
  await once(child.process.stdout, 'data')
  await child.stop(50)
  expect(await child.ended).toEqual({ code: null, reason: 'SIGKILL' })
})

it('says why one cannot start', async () => {
  const child = startChild(['/nowhere/program'], { stdio: 'ignore' })
  expect((await child.ended).code).not.toBe(0)
})

it('ends together with the process that started it, even when that one is killed', async () => {
  const code = `
    const { startChild } = await import(${JSON.stringify(childFile)})
    startChild(['sh', '-c', 'trap "echo told; exit" TERM; echo ready; while :; do sleep 0.05; done'], { stdio: ['ignore', 'inherit', 'inherit'] })
  `
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: parent.stdout })) {
    lines.push(line)
    if (line === 'ready') parent.kill('SIGKILL')
  }
  // The output ends when nobody holds it any more.
  expect(lines).toEqual(['ready', 'told'])
})
