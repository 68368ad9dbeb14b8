import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '@community-lab/contract'

/** Return the path of a file that the set-up creates. @throws {@link LabError} LAB_CLI_NOT_SET_UP when it does not exist. */
export function requireFile(checkout: string, path: string): string {
  const file = join(checkout, path)
  if (!existsSync(file)) throw new LabError('LAB_CLI_NOT_SET_UP', { missing: path })
  return file
}
