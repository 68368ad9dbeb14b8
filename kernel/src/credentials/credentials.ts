import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { inspect } from 'node:util'
import {
  checkCredentials,
  chooseCredentials,
  credentialsFolders,
  settingsFolderOf,
  type CredentialsOptions,
} from '@community-lab/contract'

export type { CredentialsOptions } from '@community-lab/contract'

/** Options of `connect`. */
export interface ConnectOptions extends CredentialsOptions {
  /** Whose credentials to use instead of yours, such as `owner`: those in `credentials-owner.json`. The environment does not count for them. */
  readonly as?: string
}

/** The content of a credentials file: the address of a testbed and the token for it. */
export interface Credentials {
  /** Base URL of the server, http or https. */
  readonly url: string
  readonly token: string
  /** The control socket of a virtual testbed on this machine. */
  readonly vct_socket?: string
  /** Not used: notebooks log in by their token. */
  readonly username?: string
  /** Not used, as `username`. */
  readonly password?: string
}

/** The environment of the process and its current folder. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** Credentials, and the folder in which they were found. They do not print their token. */
export interface FoundCredentials extends Credentials {
  /** The folder of the credentials file; null when the credentials came from options or the environment. */
  readonly folder: string | null
}

/**
 * Find the credentials. These places are searched in order: the options; COMMUNITY_LAB_URL and COMMUNITY_LAB_TOKEN; the file COMMUNITY_LAB_CREDENTIALS;
 * `$COMMUNITY_LAB_HOME/credentials.json`, which `npm start` sets for its kernels; `.community-lab/credentials.json` in this folder or one above it;
 * `$XDG_CONFIG_HOME/community-lab/credentials.json`. The command line uses the same order.
 *
 * @throws {@link LabError} LAB_CREDENTIALS_MISSING with every place that was searched; LAB_CREDENTIALS_INVALID.
 */
export function findCredentials(
  { as, ...options }: ConnectOptions,
  { env, cwd }: Surroundings = { env: process.env, cwd: process.cwd() },
): FoundCredentials {
  const places = credentialsFolders(env, path.resolve(cwd), settingsFolder(env))
  const own = env['COMMUNITY_LAB_CREDENTIALS'] ?? ''
  const folders = as === undefined || own === '' ? places : [path.dirname(own), ...places]
  const names = [as === undefined ? 'credentials.json' : `credentials-${as}.json`]
  const read = (file: string) => maybeRead(path.resolve(cwd, file))
  const { file, ...credentials } = chooseCredentials(
    options,
    { env: as === undefined ? env : {}, folders, names },
    read,
  )
  const folder = file === null ? null : path.dirname(path.resolve(cwd, file))
  return hideToken({ ...credentials, folder })
}

/** Check credentials that the caller gives. @throws {@link LabError} LAB_CREDENTIALS_INVALID. */
export function takeCredentials({ url, token, vct_socket: socket }: Credentials): FoundCredentials {
  const own = { url, token, ...(socket === undefined ? {} : { vct_socket: socket }) }
  return hideToken({ ...checkCredentials('the credentials given', own), folder: null })
}

/** The folder of this user's settings. */
export function settingsFolder(env: Surroundings['env'] = process.env): string {
  return settingsFolderOf(env, homedir())
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

/** Keep the token out of everything that prints or copies an object. */
function hideToken(credentials: FoundCredentials): FoundCredentials {
  const { token, ...shown } = credentials
  const hidden = { ...shown, token: '(hidden)' }
  return Object.defineProperties(
    { ...shown, token: '' },
    {
      token: { value: token, enumerable: false },
      toJSON: { value: () => hidden, enumerable: false },
      [inspect.custom]: { value: () => hidden, enumerable: false },
    },
  )
}
