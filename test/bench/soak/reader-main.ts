import process from 'node:process'
import { createHttpClient } from '../../../kernel/src/http/client.ts'
import { readRows, rowStream } from '../../../kernel/src/run/row-stream.ts'

// The kernel's stream of rows, which counts them as they come, and those that come twice or in another order than their node wrote them.

const [port = '', wanted = ''] = process.argv.slice(2)
const ending = new AbortController()
const { signal } = ending
const http = createHttpClient({ url: `http://127.0.0.1:${port}`, token: 'group1', signal })
const last = new Map<unknown, number>()
let rows = 0
let misplaced = 0
process.on('disconnect', () => process.exit(0))
const stream = rowStream(async function* () {
  let left = Number(wanted)
  for await (const batch of readRows({ http }, { scope: 'slice-3', name: 'probe', signal })) {
    yield* batch.rows
    left -= batch.rows.length
    if (left <= 0) return
  }
})
await stream.forEach(({ node, nr }) => {
  if (Number(nr) !== (last.get(node) ?? -1) + 1) misplaced++
  last.set(node, Number(nr))
  rows++
})
process.send?.({ rows, misplaced })
