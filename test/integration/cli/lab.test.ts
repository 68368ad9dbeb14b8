import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { expect, it } from 'vitest'
import { startLab } from '../../../server/cli/src/jupyter/lab.ts'
import { freePort } from '../../support/free-port.ts'

it('waits until JupyterLab answers, which it does after it has said that it runs', async () => {
  await using stack = new AsyncDisposableStack()
  const checkout = await mkdtemp(join(tmpdir(), 'lab-jupyter-'))
  stack.defer(() => rm(checkout, { recursive: true, force: true }))
  const port = await freePort()
  await mkdir(join(checkout, '.venv/bin'), { recursive: true })
  await mkdir(join(checkout, 'home/logs'), { recursive: true })
  const program = [
    `#!${process.execPath}`,
    "console.log('Jupyter Server 2 is running at:')",
    "const server = require('node:http').createServer((_, to) => to.end())",
    `setTimeout(() => server.listen(${port}, '127.0.0.1'), 500)`,
  ]
  await writeFile(join(checkout, '.venv/bin/jupyter-lab'), program.join('\n'), { mode: 0o755 })
  const context = {
    checkout,
    home: join(checkout, 'home'),
    cwd: checkout,
    env: process.env,
    out: process.stdout,
    err: process.stderr,
    confirm: null,
    askSecrets: () => Promise.resolve([]),
    signal: new AbortController().signal,
  }
  const options = { port, token: 't', rootDir: checkout, serverSocket: '', credentialsFile: '' }
  stack.use(await startLab(context, options))
  expect((await fetch(`http://127.0.0.1:${port}/`)).ok).toBe(true)
})
