import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { patienceMs } from '../../../support/eventually.ts'

const execFileAsync = promisify(execFile)

/** Run a command to its end; throws with its output when it fails. */
export async function sh(line: string): Promise<string> {
  const [command = '', ...args] = line.split(' ')
  const { stdout } = await execFileAsync(command, args, { timeout: patienceMs })
  return stdout
}

/** Tell whether a command succeeds. */
export async function succeeds(line: string): Promise<boolean> {
  return sh(line).then(
    () => true,
    () => false,
  )
}
