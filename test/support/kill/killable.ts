import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import type { Readable, Writable } from 'node:stream'
import { rolldown } from 'rolldown'
import { keepPlaces } from '../../../server/cli/setup/bundle.mjs'

/** A program of a test that is killed right before one of its steps, see `kill-at-step.ts`. */
export interface Killable {
  /** Start it. It is killed before the step with this number, counted from 1. */
  start(step: number, ...args: readonly string[]): KillableProcess
}

/** A started {@link Killable}. */
export interface KillableProcess {
  readonly stdin: Writable
  readonly stdout: Readable
  /** Resolves with `killed`, or with `done` when it has ended before that step; rejects when it fails. */
  readonly ended: Promise<'killed' | 'done'>
}

/** Bundle a program into one file, which starts faster, because it is started for each of its steps. */
export async function makeKillable(dir: string, program: string): Promise<Killable> {
  const file = join(dir, 'program.mjs')
  const plugins = [keepPlaces(file)]
  await using bundle = await rolldown({ input: program, platform: 'node', plugins })
  await bundle.write({ file, format: 'esm' })
  const killer = join(import.meta.dirname, 'kill-at-step.ts')
  const compiled = join(dir, 'compiled')
  return {
    start(step, ...args) {
      const child = spawn(process.execPath, ['--import', killer, file, ...args], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, KILL_AT: String(step), NODE_COMPILE_CACHE: compiled },
      })
      // The program may be killed before it reads its input.
      child.stdin.on('error', () => undefined)
      const ended = once(child, 'exit').then(([code, signal]) => {
        if (signal === 'SIGKILL') return 'killed'
        if (code === 0) return 'done'
        throw new Error(`${program} has ended with ${String(code ?? signal)} at step ${step}`)
      })
      return { stdin: child.stdin, stdout: child.stdout, ended }
    },
  }
}
