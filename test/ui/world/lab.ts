import { randomBytes } from 'node:crypto'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import process from 'node:process'
import { labUrl } from '../../../server/cli/src/jupyter/configuration.ts'
import { startLab } from '../../../server/cli/src/jupyter/lab.ts'
import { freePort } from '../../support/free-port.ts'
import type { RunningTestbed } from '../../support/testbed.ts'

const checkout = resolve(import.meta.dirname, '../../..')

/** A JupyterLab as `npm start` starts it, on a testbed, with a folder of its own. */
export interface TestLab extends AsyncDisposable {
  /** The address of its launcher, in a new workspace. */
  readonly url: string
  /** Return the address of a notebook of the folder. */
  notebookUrl(name: string): string
}

/** Start JupyterLab. `notebooks` are copied into its folder, because a page may save them. */
export async function startTestLab(
  testbed: RunningTestbed,
  notebooks: readonly string[] = [],
): Promise<TestLab> {
  const rootDir = await mkdtemp(join(tmpdir(), 'cl-lab-'))
  await mkdir(rootDir, { recursive: true })
  for (const each of notebooks) await cp(resolve(checkout, each), join(rootDir, basename(each)))
  const port = await freePort()
  const token = randomBytes(8).toString('hex')
  const silent = { write: () => true }
  const lab = await startLab(
    {
      checkout,
      home: testbed.home,
      cwd: checkout,
      env: process.env,
      out: silent,
      err: silent,
      confirm: null,
      askSecrets: () => Promise.resolve([]),
      signal: new AbortController().signal,
    },
    {
      port,
      token,
      rootDir,
      serverSocket: testbed.ready.socket,
      credentialsFile: testbed.ready.credentialsFile,
    },
  )
  return {
    url: `${labUrl(port, token, null)}&reset`,
    notebookUrl: (name) => `${labUrl(port, token, name)}&reset`,
    async [Symbol.asyncDispose]() {
      await lab[Symbol.asyncDispose]()
      await rm(rootDir, { recursive: true, force: true })
    },
  }
}
