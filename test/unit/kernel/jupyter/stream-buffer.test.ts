import { expect, it } from 'vitest'
import { StreamBuffer } from '../../../../kernel/src/jupyter/child/stream-buffer.ts'

/** Return what a buffer sends for texts that are printed at the same time. */
function published(...texts: string[]): string {
  let shown = ''
  const buffer = new StreamBuffer({
    publish: ({ text }) => {
      shown += text
    },
    now: () => 0,
    schedule: () => undefined,
  })
  // The first piece is sent at once, and the later ones are joined.
  buffer.write(1, 'stdout', '> ')
  for (const text of texts) buffer.write(1, 'stdout', text)
  buffer.flush()
  return shown.slice('> '.length)
}

it.for([
  ['a line that is printed over itself', ['\r10 %', '\r20 %', '\rdone\n'], '\rdone\n'],
  ['a new line that is', ['first\n1\r2\r3\nlast'], 'first\n3\nlast'],
  ['text without returns', ['a\nb'], 'a\nb'],
  ['lines that end as on Windows', ['a\r\nb\r\n'], 'a\r\nb\r\n'],
  ['a return that waits for what comes', ['1\r2\r'], '\r2\r'],
] as const)('keeps the last text of %s', ([, texts, expected]) => {
  expect(published(...texts)).toBe(expected)
})
