import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { confirmAtTerminal } from './output/confirm.ts'
import { runCli } from './cli.ts'
import type { Context } from './context.ts'
import { exitCodes, NobodyReads } from './output/failure.ts'
import { secretsFrom } from './output/secrets.ts'

const checkout = resolve(fileURLToPath(new URL('../../../', import.meta.url)))
const stop = new AbortController()
// Each signal may come more than once, from the terminal and from the parent process. Only the first one has an effect.
for (const each of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(each, () => stop.abort())

const output = new AbortController()
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // EPIPE: the reader has gone; EIO: the terminal has gone.
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
    output.abort(new NobodyReads())
    stop.abort(output.signal.reason)
    process.exitCode = exitCodes.unread
  })

const home = process.env['COMMUNITY_LAB_HOME']
const context: Context = {
  checkout,
  home: home === undefined || home === '' ? join(checkout, '.community-lab') : resolve(home),
  cwd: process.cwd(),
  env: process.env,
  out: process.stdout,
  err: process.stderr,
  confirm: confirmAtTerminal(process.stdin, process.stderr, stop),
  askSecrets: secretsFrom(process.stdin, process.stderr, stop),
  signal: stop.signal,
}
const exitCode = await runCli(process.argv.slice(2), context)
process.exitCode = output.signal.aborted ? exitCodes.unread : exitCode
