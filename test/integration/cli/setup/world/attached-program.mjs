// @ts-check
/** What `npm start` runs in tests: it runs a program as the real one does, which says something and goes on until it is told to end. */
import process from 'node:process'
import { runAttached } from '../../../../../server/cli/setup/attached.mjs'

process.exitCode = await runAttached(['sh', '-c', 'echo; exec sleep 300'], {
  cwd: process.cwd(),
  env: process.env,
})
