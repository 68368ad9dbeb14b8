import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { readCell } from '../../../../kernel/src/jupyter/compile/cell-text.ts'
import { emitCell } from '../../../../kernel/src/jupyter/compile/emit.ts'
import { Runner } from '../../../../kernel/src/jupyter/runner.ts'

it('what programs of a cell print comes before its end, also to a kernel that was busy meanwhile', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cl-output-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  let printed = ''
  const runner = new Runner({
    folder,
    logFolder: folder,
    onLost: () => undefined,
    onEvent: (event) => {
      if (event.is === 'stream') printed += event.text
    },
  })
  onTestFinished(() => runner.stop())
  const run = async (number: number, code: string, meanwhile?: () => void): Promise<void> => {
    const source = { number, name: `cell-${number}.ts`, canAsk: false }
    const { cell } = emitCell(readCell(code), { settings: {}, known: new Set(), types: new Set() })
    const running = runner.run({ ...cell, files: [] }, source)
    meanwhile?.()
    expect((await running).failure).toBe(null)
  }
  await run(1, "require('node:child_process').spawnSync('true')")
  // The kernel hears of both outputs and of the end at once. The end comes by the same pipe as the first.
  const cell = `console.log('own')
    require('node:child_process').spawnSync('echo', ['of a program'], { stdio: 'inherit' })
    setTimeout(() => require('node:fs').writeFileSync('over', ''), 1)`
  await run(2, cell, () => {
    spawnSync('sh', ['-c', 'until [ -e over ]; do :; done'], { cwd: folder })
  })
  expect(printed.trim().split('\n').toSorted()).toEqual(['of a program', 'own'])
})
