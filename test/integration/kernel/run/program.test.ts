import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  cancelCommand,
  scriptName,
  scriptText,
  startCommand,
  wrapperName,
  wrapperText,
  type ProgramInput,
} from '../../../../kernel/src/run/program.ts'
import { packFiles } from '@community-lab/contract/files'
import { eventually } from '../../../support/eventually.ts'

const execute = promisify(execFile)

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'run-program-'))
  await mkdir(path.join(dir, 'bin'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** The folder of a run, with the commands by which a sliver starts and ends a script. */
function runOf(script: string, input: ProgramInput = {}) {
  const folder = path.join(dir, 'run')
  const to = path.join(dir, 'measured')
  const env = { PATH: `${path.join(dir, 'bin')}:${process.env['PATH'] ?? ''}` }
  return {
    async start() {
      const files = {
        [scriptName]: scriptText(script),
        [wrapperName]: wrapperText('r', { ...input, to }),
      }
      const child = execute('busybox', ['sh', '-c', startCommand(folder)], { env })
      child.child.stdin?.end(await packFiles(files, { mode: 0o755 }))
      await child
    },
    async cancel() {
      await execute('busybox', ['sh', '-c', cancelCommand(folder)], { env })
    },
    /** The line that reports its end. The shell creates the file first and writes to it later. */
    async end() {
      const whole = () => expect(readFile(to, 'utf8')).resolves.toMatch(/\n$/u)
      await eventually(whole)
      return readFile(to, 'utf8')
    },
    output: () => readFile(path.join(folder, 'output'), 'utf8'),
  }
}

/** Replace `setsid`, which starts both the wrapper and its script. */
async function replaceSetsid(text: string): Promise<void> {
  await writeFile(path.join(dir, 'bin', 'setsid'), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
}

describe('a run’s program', () => {
  it('reports how its script ended', async () => {
    const run = runOf('echo "run $COMMUNITY_LAB_RUN"; exit 7')
    await run.start()
    expect(await run.end()).toBe('run_end run="r" exit_code=7\n')
    expect(await run.output()).toBe('run r\n')
  })

  it('reports that its script cannot be started', async () => {
    const run = runOf('#!/no/such/interpreter\n')
    await run.start()
    expect(await run.end()).toMatch(/exit_code=12[67]\n$/u)
  })

  it('is ended with all processes that its script started', async () => {
    const run = runOf('sleep 300 & echo $! > child; sleep 300')
    await run.start()
    await run.cancel()
    expect(await run.end()).toBe('run_end run="r" exit_code=143\n')
  })

  it('is ended right after its start, also where programs start slowly', async () => {
    await replaceSetsid('sleep 0.3; exec busybox setsid "$@"')
    const run = runOf('sleep 300 & sleep 300')
    await run.start()
    await run.cancel()
    expect(await run.end()).toBe('run_end run="r" exit_code=143\n')
  })

  it('is not reported as started when it cannot be', async () => {
    await replaceSetsid('exit 1')
    await expect(runOf('true').start()).rejects.toMatchObject({ code: 1 })
  })

  it('is ended although its script ignores SIGTERM', async () => {
    const run = runOf('trap "" TERM; echo deaf > deaf; while :; do sleep 0.1; done')
    await run.start()
    await eventually(() => readFile(path.join(dir, 'run', 'deaf')))
    await run.cancel()
    expect(await run.end()).toBe('run_end run="r" exit_code=137\n')
  })

  it('has its arguments and its environment as given', async () => {
    const args = ['a b', "it's", '$HOME', '', 3, true]
    const run = runOf('printf "<%s>" "$@" "$ODD"', { args, env: { ODD: '"\n`x`' } })
    await run.start()
    await run.end()
    expect(await run.output()).toBe('<a b><it\'s><$HOME><><3><true><"\n`x`>')
  })

  it('does not begin when it was cancelled before', async () => {
    const run = runOf('echo begun')
    await run.cancel()
    await run.start()
    expect(await run.end()).toBe('run_end run="r" exit_code=143\n')
    expect(await run.output()).toBe('')
  })

  it('is unchanged when it is cancelled after its end', async () => {
    const run = runOf('true')
    await run.start()
    const end = await run.end()
    await run.cancel()
    expect(await run.end()).toBe(end)
  })
})
