import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { createFolder } from './world.ts'

const program = join(import.meta.dirname, 'process/unwatched.ts')

it.for([
  { lacking: 'inotify instances', setting: 'max_inotify_instances', refused: 'EMFILE' },
  { lacking: 'inotify watches', setting: 'max_inotify_watches', refused: 'ENOSPC' },
])('takes in lines where the host has no $lacking left', async ({ setting, refused }) => {
  await using folder = await createFolder()
  const argv = ['--user', '--map-root-user', process.execPath, program, folder.path, setting]
  const { stdout } = await promisify(execFile)('unshare', argv)
  expect(JSON.parse(stdout)).toEqual({ refused, values: [1, 2] })
})
