#!/usr/bin/env node
// @ts-check
import process from 'node:process'
import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runAttached } from '../setup/attached.mjs'
import { nodeOf, withOwnBin } from '../setup/node.mjs'
import { SetupFailure } from '../setup/failure.mjs'

// Any Node.js >= 20 can run this file. The program itself runs on the Node.js from the set-up.
const checkout = realpathSync(fileURLToPath(new URL('../../../', import.meta.url)))
const program = join(checkout, 'server', 'cli', 'dist', 'main.bundle.js')
const args = process.argv.slice(2)
if (!existsSync(program)) {
  process.stderr.write(
    'error: this checkout is not set up yet; run `npm run setup` or `npm start` first [LAB_CLI_NOT_SET_UP]\n',
  )
  process.exitCode = 1
} else {
  try {
    const argv = [nodeOf(checkout), program, ...args]
    process.exitCode = await runAttached(argv, {
      cwd: process.cwd(),
      env: withOwnBin(checkout, process.env),
    })
  } catch (error) {
    if (!(error instanceof SetupFailure)) throw error
    process.stderr.write(`error: ${error.message} [LAB_SETUP_FAILED]\n`)
    process.exitCode = 1
  }
}
