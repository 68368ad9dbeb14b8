// @ts-check
import process from 'node:process'
import { join } from 'node:path'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { nodeOf, withOwnBin } from './node.mjs'
import { checkout, explainFailure, listenForStop, setUp } from './setup.mjs'
import { addCounts, countsLine, exitCodeOf, noCounts } from './test/counts.mjs'
import { runChecks, runStage } from './test/stage.mjs'
import { chooseStages } from './test/stages.mjs'

/** With this option each notebook is run in all ways instead of one. `npm run test:all` sets it. */
const allWays = '--all-ways'

/**
 * `npm test`: set this checkout up, check its style and types at the same time, run the stages of tests one after the other, and print the counts in the last
 * line.
 * `npm test -- e2e` runs one stage; `npm test -- test/unit/agent` runs the files that match.
 */
async function main() {
  const words = process.argv.slice(2).filter((word) => word !== allWays)
  const stages = chooseStages(checkout, words)
  if (typeof stages === 'string') {
    process.stderr.write(`error: ${stages}\n`)
    return 2
  }
  const { signal } = listenForStop()
  await setUp({ purpose: 'test', signal })
  const env = withOwnBin(checkout, process.env)
  if (process.argv.includes(allWays)) env['COMMUNITY_LAB_TEST_WAYS'] = 'all'
  const node = nodeOf(checkout)
  mkdirSync(join(checkout, '.community-lab'), { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'community-lab-test-'))
  // Hundreds of files of tests, and threads of servers, load the same modules: Node.js compiles each once.
  env['NODE_COMPILE_CACHE'] = join(folder, 'compiled')
  let counts = noCounts
  try {
    const options = { root: checkout, env, node, signal, folder }
    const write = (/** @type {string} */ text) => void process.stdout.write(text)
    for (const each of await runChecks(stages.checks, { ...options, write }))
      counts = addCounts(counts, each)
    for (const stage of stages.tests) {
      if (signal.aborted) break
      write(`\n== ${stage.name}\n`)
      counts = addCounts(counts, await runStage(stage, options))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  if (signal.aborted) {
    process.stderr.write('the tests were stopped\n')
    return 130
  }
  for (const name of counts.failures) process.stdout.write(`failed: ${name}\n`)
  for (const name of counts.leftOut) process.stdout.write(`left out: ${name}\n`)
  process.stdout.write(`${countsLine(counts)}\n`)
  return exitCodeOf(counts)
}

try {
  process.exitCode = await main()
} catch (error) {
  process.exitCode = explainFailure(error, process.stderr)
  // A reader of the last line alone must see that a failed set-up is not a success.
  if (process.exitCode !== 130) process.stdout.write('0 passed, 1 failed\n')
}
