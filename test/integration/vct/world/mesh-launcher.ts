import { spawn } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { examineHost } from '../../../../server/vct/src/pod/host.ts'

/** Starts `mesh-process.ts` in a pod, as whoever runs this; it ends with this process. Arguments: number of nodes, a folder. */
const { unshareFlags } = await examineHost(new AbortController().signal)
const main = join(import.meta.dirname, 'mesh-process.ts')
const unshare = ['unshare', ...unshareFlags, '--', process.execPath, main, ...process.argv.slice(2)]
const pod = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...unshare], { stdio: 'inherit' })
pod.on('close', (code) => {
  process.exitCode = code ?? 1
})
