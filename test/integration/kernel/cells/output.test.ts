import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { readCell } from '../../../../kernel/src/jupyter/compile/cell-text.ts'
import { emitCell } from '../../../../kernel/src/jupyter/compile/emit.ts'
import { Runner } from '../../../../kernel/src/jupyter/runner.ts'

it('output of a cell’s programs comes before its end, also when the kernel was busy meanwhile', async () => {
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
    const running = runner.run({ ...cell, files: [], paths: null }, source)
    meanwhile?.()
    expect((await running).failure).toBe(null)
  }
  await run(1, "require('node:child_process').spawnSync('true')")
  // The kernel receives both outputs and the end at the same time. The end uses the same pipe as the first output.
  const cell = `console.log('own')
    require('node:child_process').spawnSync('echo', ['of a program'], { stdio: 'inherit' })
    setTimeout(() => require('node:fs').writeFileSync('over', ''), 1)`
  await run(2, cell, () => {
    spawnSync('sh', ['-c', 'until [ -e over ]; do :; done'], { cwd: folder })
  })
  expect(printed.trim().split('\n').toSorted()).toEqual(['of a program', 'own'])
})
