import { readSync } from 'node:fs'
import { currentCell } from './cell.ts'
import { childFds, type ChildEvent, type InputAnswer } from './protocol.ts'

/**
 * Create `prompt(text)` for cells, as in browsers: it asks the user at the notebook and waits for the answer.
 *
 * It throws when nobody can be asked, because the notebook is executed without a user, and when the cell is interrupted.
 */
export function createPrompt(emit: (event: ChildEvent) => void): (text?: unknown) => string {
  return (text: unknown = '') => {
    emit({ is: 'input', cell: currentCell()?.number ?? 0, prompt: String(text) })
    const answer = JSON.parse(readLine()) as InputAnswer
    if ('refused' in answer) throw new Error(`prompt: ${answer.refused}`)
    return answer.value
  }
}

function readLine(): string {
  const bytes: Buffer[] = []
  const byte = Buffer.alloc(1)
  while (readSync(childFds.input, byte) === 1) {
    if (byte[0] === 0x0a) return Buffer.concat(bytes).toString()
    bytes.push(Buffer.from(byte))
  }
  return '{"refused":"the kernel has gone"}'
}
