import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { open, symlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { rolldown } from 'rolldown'
import { expect, it } from 'vitest'
import { createSliverStreams } from '../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { createFolder, readSynced } from './world.ts'

const [kept, removed] = ['1@1', '2@1']
const checkout = join(import.meta.dirname, '../../../..')

/** Make one file of the agent of this test, because it is started for each of its steps. It finds its perl programs as from its place in the checkout. */
async function bundleAgent(dir: string): Promise<string> {
  const file = join(dir, 'src/measurement/catcher/agent.mjs')
  await symlink(join(checkout, 'agent/perl'), join(dir, 'perl'))
  const input = join(import.meta.dirname, 'process/stepping-agent.ts')
  await using bundle = await rolldown({ input, platform: 'node' })
  await bundle.write({ file, format: 'esm' })
  return file
}

it('counts each line once when the agent is killed before any one of its steps', async () => {
  await using folder = await createFolder()
  const { path } = folder
  const program = await bundleAgent(path)
  const values: number[] = []
  /** The FIFOs as the slivers' programs have them open. */
  const fifos = new Map<string, FileHandle>()
  /** Write two lines into each FIFO that is open. */
  async function write(): Promise<void> {
    for (const fifo of fifos.values())
      for (let line = 0; line < 2; line++) {
        values.push(values.length + 1)
        await fifo.write(`count value=${values.length}\n`)
      }
  }

  let step = 0
  for (let end = 'SIGKILL'; end === 'SIGKILL';) {
    step++
    await write()
    const killer = join(import.meta.dirname, 'kill/kill-at-step.ts')
    const agent = spawn(process.execPath, ['--import', killer, program, path], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, KILL_AT: String(step), NODE_COMPILE_CACHE: join(path, 'compiled') },
    })
    const exited = once(agent, 'exit') as Promise<[number | null, string | null]>
    const isReady = await Promise.race([
      once(agent.stdout, 'data').then(() => true),
      exited.then(() => false),
    ])
    if (isReady) {
      for (const id of [kept, removed])
        if (!fifos.has(id))
          fifos.set(id, await open(join(path, 'measure', id, 'measure'), constants.O_RDWR))
      await write()
    }
    agent.stdin.on('error', () => undefined).end()
    const [code, signal] = await exited
    end = signal ?? `exit code ${code ?? -1}`
    // Its sliver is gone, or is about to be: whoever wrote has ended.
    if (isReady) {
      await fifos.get(removed)?.close()
      fifos.delete(removed)
    }
    if (end !== 'SIGKILL') expect(end).toBe('exit code 0')
  }
  const spool = await openSpool(join(path, 'spool'))
  const streams = createSliverStreams({ spool, dir: join(path, 'catchers') })
  for (const id of [kept, removed]) {
    await streams.ensure(id, join(path, 'measure', id))
    await streams.remove(id)
  }
  await fifos.get(kept)?.close()
  const records = await readSynced(spool)
  expect(records.map(({ fields }) => Number(fields['value'])).sort((a, b) => a - b)).toEqual(values)
  expect(step).toBeGreaterThan(30)
  await streams.stop()
  await spool.close()
})
