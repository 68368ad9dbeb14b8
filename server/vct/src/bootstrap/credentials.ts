import { readFile, rename, writeFile } from 'node:fs/promises'
import { Credentials } from '@community-lab/contract'
import { Value } from 'typebox/value'

/** Read a credentials file; null when it does not exist or is not one. */
export async function maybeCredentials(file: string): Promise<Credentials | null> {
  try {
    const document: unknown = JSON.parse(await readFile(file, 'utf8'))
    return Value.Check(Credentials, document) ? document : null
  } catch {
    // A missing or damaged file is written again.
    return null
  }
}

/** Write a credentials file, completely or not at all. Only its owner may read it. */
export async function writeCredentials(file: string, credentials: Credentials): Promise<void> {
  await writeFile(`${file}.new`, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}
