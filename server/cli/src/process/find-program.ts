import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Return the path of a program; null when it is not in PATH. */
export function findProgram(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): string | null {
  const folders = (env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file)) ?? null
}
