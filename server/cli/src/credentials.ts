import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import {
  chooseCredentials,
  credentialsFolders,
  parseCredentials,
  settingsFolderOf,
  type ChosenCredentials,
  type Credentials,
} from '@community-lab/contract'
import { createClient, type Client } from './http/client.ts'
import type { Context } from './context.ts'

/**
 * Find the credentials to use, by the same rule as notebooks, with two additions: an operator's file is preferred to a researcher's in the same folder, and the
 * last place is this checkout's own testbed.
 *
 * @throws {@link LabError} LAB_CREDENTIALS_MISSING, LAB_CREDENTIALS_INVALID.
 */
export function findCredentials(context: Context): ChosenCredentials {
  return choose(context, context.cwd, ['credentials-operator.json', 'credentials.json'])
}

/** Find the credentials that a notebook in a folder uses, which are a researcher's. @throws {@link LabError} as {@link findCredentials} does. */
export function findNotebookCredentials(context: Context, folder: string): ChosenCredentials {
  return choose(context, folder, ['credentials.json'])
}

function choose(
  { env, home, cwd }: Context,
  near: string,
  names: readonly string[],
): ChosenCredentials {
  const folders = [...credentialsFolders(env, near, settingsFolderOf(env, homedir())), home]
  return chooseCredentials({}, { env, folders, names }, (file) => maybeRead(resolve(cwd, file)))
}

/** Read a credentials file; null when it does not exist. @throws {@link LabError} LAB_CREDENTIALS_INVALID. */
export function readCredentials(file: string): Credentials | null {
  const text = maybeRead(file)
  return text === null ? null : parseCredentials(file, text)
}

/** Create a client of the server that the credentials are for. */
export function connectServer(context: Context): Client {
  const { url, token } = findCredentials(context)
  return createClient({ base: url, token, signal: context.signal })
}

/** Read a file; null when it does not exist. */
function maybeRead(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw error
  }
}
