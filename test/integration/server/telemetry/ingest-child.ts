import { openStore, fromNode, samples } from './world.ts'

// Stores sample after sample until it is killed, with several batches under way, and writes the number of each record that it was told is committed.
const [dir = ''] = process.argv.slice(2)
const batchRows = 50
const store = await openStore(dir, { commitDelayMs: 5 })
let next = 1

async function sendOn(): Promise<void> {
  for (;;) {
    const from = next
    next += batchRows
    // A new column now and then: altered tables must come back whole too.
    const fields = { busy_ratio: 1, [`extra_${Math.min(40, Math.floor(from / 1000))}`]: true }
    const batch = samples(from, from + batchRows - 1, { fields })
    const { committedSeq } = await store.append(fromNode(batch))
    process.stdout.write(`${committedSeq}\n`)
  }
}

await Promise.all([sendOn(), sendOn(), sendOn(), sendOn()])
