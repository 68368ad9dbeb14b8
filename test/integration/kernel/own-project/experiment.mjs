// A user's own script: it takes a slice, runs a command and a measurement on it, asks the samples, draws them, and ends by itself.
import process from 'node:process'
import { connect, LabError, Plot, show } from '@community-lab/kernel'

const lab = connect()
const nodes = await lab.nodes.find({ state: 'production' })
const slice = await lab.slices.ensure('first', { template: 'tiny', nodes })
await slice.started()
const answers = await slice.sh`echo ${'one  two'}`
console.log(answers.map(({ node, stdout }) => `${node}: ${stdout.trim()}`).join(', '))

const run = await slice.measure('rtt', { from: 'n1', to: 'n2', everyMs: 50, forMs: 500 })
await run.done()
const rows = await run.sql`select seq_no, rtt_s * 1e3 as rtt_ms from rtt order by seq_no`
console.log(`${rows.length} rows`)
show(Plot.plot({ marks: [Plot.dot(rows, { x: 'seq_no', y: 'rtt_ms' })] }))

try {
  const failed = await slice.sh`exit 3`
  failed.orThrow()
} catch (error) {
  console.log(LabError.is(error) ? error.code : error)
}
await slice.release()
console.log(process.version.split('.')[0])
