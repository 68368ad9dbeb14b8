import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createLogOutput } from '@community-lab/contract/host'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'log-output-'))
})
afterEach(() => rm(dir, { recursive: true }))

/** Wait until a file has so many lines. */
async function linesOf(file: string, count: number): Promise<readonly string[]> {
  for (;;) {
    const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1)
    if (lines.length >= count) return lines
    await setImmediate()
  }
}

const name = 'agent'

it('has all lines in their order', async () => {
  const file = join(dir, 'log')
  const handle = await open(file, 'a')
  const output = createLogOutput({ name, fd: handle.fd })
  const lines = Array.from({ length: 1000 }, (_, index) => `line ${index}`)
  for (const line of lines) output.write(`${line}\n`)
  expect(await linesOf(file, lines.length)).toEqual(lines)
  await handle.close()
})

it('drops what cannot wait, and tells how many lines that were', async () => {
  const file = join(dir, 'log')
  const handle = await open(file, 'a')
  const output = createLogOutput({ name, fd: handle.fd, maxCharacters: 20 })
  for (let index = 0; index < 10; index++) output.write(`line ${index}\n`)
  // The first was taken at once, two had room.
  expect(await linesOf(file, 4)).toEqual([
    'line 0',
    expect.stringContaining('"lines":7,"msg":"lines of this log could not be written"'),
    'line 1',
    'line 2',
  ])
  await handle.close()
})
