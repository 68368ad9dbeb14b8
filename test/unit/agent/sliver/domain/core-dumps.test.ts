import { expect, it } from 'vitest'
import {
  chooseCoreLimit,
  describeCrashHandler,
} from '../../../../../agent/src/sliver/domain/core-dumps.ts'

const limits = (hard: string): string =>
  `Limit Soft Limit Hard Limit Units\nMax stack size 8388608 unlimited bytes\nMax core file size        0                    ${hard}            bytes\n`

it('is the one without dump and handler wherever the agent may give it', () => {
  for (const hard of ['unlimited', '1', '4096']) expect(chooseCoreLimit(limits(hard))).toBe(1)
  expect(chooseCoreLimit(limits('0'))).toBe(0)
  expect(chooseCoreLimit('')).toBe(0)
})

it('is told where each crash in a sliver starts a handler, with what ends that', () => {
  const systemd = '|/usr/lib/systemd/systemd-coredump %P %u\n'
  expect(describeCrashHandler(systemd, 0)).toMatch(
    /\(\/usr\/lib\/systemd\/systemd-coredump %P %u\): start the agent with .*LimitCORE=/u,
  )
  expect(describeCrashHandler(systemd, 1)).toBe(null)
  expect(describeCrashHandler('core\n', 0)).toBe(null)
})

it('is told where crashes in slivers reach a handler on a socket, which no limit of core dumps prevents', () => {
  for (const pattern of ['@/run/coredump.socket\n', '@@/run/coredump.socket\n'])
    for (const limit of [0, 1] as const)
      expect(describeCrashHandler(pattern, limit)).toMatch(
        / listens on \/run\/coredump\.socket, .*: set kernel\.core_pattern to a file/u,
      )
  // A file's name.
  expect(describeCrashHandler('@core\n', 1)).toBe(null)
})
