import { expect, it } from 'vitest'
import { fitLine, ProgressLine } from '../../../server/cli/src/output/progress-line.ts'

function sinkOf(isTTY: boolean) {
  const sink = { text: '', isTTY, columns: 30, write: (text: string) => (sink.text += text) }
  return sink
}

function tellIn(isTTY: boolean): string {
  const sink = sinkOf(isTTY)
  const line = new ProgressLine(sink)
  line.show('nodes: 1 of 5')
  line.show('nodes: 2 of 5')
  line.note('nodes: done')
  line.show('more')
  line.clear()
  return sink.text
}

it('draws one line again on a terminal, and leaves what has ended above it', () => {
  const erase = '\r\u001b[K'
  expect(tellIn(true)).toBe(
    `${erase}nodes: 1 of 5${erase}nodes: 2 of 5${erase}nodes: done\n${erase}more${erase}`,
  )
})

it('writes into a file a line for each thing that has ended, and nothing else', () => {
  expect(tellIn(false)).toBe('nodes: done\n')
})

it('keeps to one line of the terminal', () => {
  expect(fitLine('a\nb', 40)).toBe('a b')
  expect(fitLine('ä'.repeat(50), 30)).toBe(`${'ä'.repeat(29)}…`)
})
