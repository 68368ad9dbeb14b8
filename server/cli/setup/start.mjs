// @ts-check
import process from 'node:process'
import { join } from 'node:path'
import { nodeOf, withOwnBin } from './node.mjs'
import { runAttached } from './attached.mjs'
import { checkout, explainFailure, listenForStop, setUp } from './setup.mjs'
import { readStartArguments, startHelp } from './start-arguments.mjs'

/** `npm start`: set this checkout up, then run `community-lab start` on the Node.js from the set-up. */
async function main() {
  const args = process.argv.slice(2)
  const read = readStartArguments(args)
  if (read.kind === 'help') {
    process.stdout.write(startHelp())
    return 0
  }
  if (read.kind === 'wrong') {
    process.stderr.write(`error: ${read.problem}; \`npm start -- --help\` tells what there is\n`)
    return 2
  }
  const { signal, forget } = listenForStop()
  await setUp({ purpose: 'run', signal })
  const program = join(checkout, 'server', 'cli', 'dist', 'main.js')
  const running = runAttached([nodeOf(checkout), program, 'start', ...args], {
    cwd: checkout,
    env: withOwnBin(checkout, process.env),
  })
  forget()
  return running
}

try {
  process.exitCode = await main()
} catch (error) {
  process.exitCode = explainFailure(error, process.stderr)
}
