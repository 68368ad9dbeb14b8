import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findCatcher } from '../../../../agent/src/measurement/catcher/process.ts'
import { createFolder } from './world.ts'

it.each([
  { program: 'perl', args: ['-e', 'sleep 60'], isFound: true },
  { program: 'tail', args: ['-f', '/dev/null'], isFound: false },
])(
  'takes a process for the catcher of a folder that it was given when it is perl: $program, $isFound',
  async ({ program, args, isFound }) => {
    await using folder = await createFolder()
    const child = spawn(program, [...args, folder.path], { stdio: 'ignore' })
    const exited = once(child, 'exit')
    try {
      await writeFile(join(folder.path, 'lock'), `${child.pid ?? 0}\n`)
      const found = findCatcher(folder.path, AbortSignal.timeout(1))
      expect(found?.pid ?? null).toBe(isFound ? child.pid : null)
    } finally {
      child.kill('SIGKILL')
      await exited
    }
  },
)
