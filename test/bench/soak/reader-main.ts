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
/** The objects in use after each tenth of the rows, in MiB. */
const heapMiB: number[] = []
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
  if (rows % (Number(wanted) / 10) === 0) {
    globalThis.gc?.()
    heapMiB.push(process.memoryUsage().heapUsed / 1024 / 1024)
  }
})
process.send?.({ rows, misplaced, heapMiB })
