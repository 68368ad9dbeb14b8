import { Value } from 'typebox/value'
import { LabError } from './error/lab-error.ts'
import { Credentials } from './schema/credentials.ts'
import { describeMismatch } from './mismatch.ts'

/** What the caller of a program says about its testbed. Each member precedes the environment, which precedes files. */
export interface CredentialsOptions {
  readonly url?: string
  readonly token?: string
  /** A credentials file to use instead of those that would be found. */
  readonly credentialsFile?: string
}

/** The places in which a program searches for credentials. */
export interface CredentialsPlaces {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Data folders of testbeds and folders of settings, in the order of the search. Each may have the files. */
  readonly folders: readonly string[]
  /** Names of files to search for in each folder, the preferred one first. */
  readonly names: readonly string[]
}

/** Reads a file; null when it does not exist. Throws any other error of the system. */
export type ReadText = (file: string) => string | null

/** Credentials and the file that they came from; null when they came from options or the environment. */
export interface ChosenCredentials extends Credentials {
  readonly file: string | null
}

/**
 * Choose the credentials of a program: its options; COMMUNITY_LAB_URL with COMMUNITY_LAB_TOKEN; the file COMMUNITY_LAB_CREDENTIALS; the first file in one of
 * the folders. A token belongs to the testbed of its file. It is sent to another address only if the caller names both the file and the address.
 *
 * @throws {@link LabError} LAB_CREDENTIALS_MISSING with every place that was searched; LAB_CREDENTIALS_INVALID.
 */
export function chooseCredentials(
  options: CredentialsOptions,
  { env, folders, names }: CredentialsPlaces,
  read: ReadText,
): ChosenCredentials {
  const { credentialsFile } = options
  // A file in the options precedes the environment: its token is for its own address, and the environment is for another.
  const given = credentialsFile === undefined ? env : {}
  const url = options.url ?? nonEmpty(given['COMMUNITY_LAB_URL'])
  const token = options.token ?? nonEmpty(given['COMMUNITY_LAB_TOKEN'])
  const named = credentialsFile ?? nonEmpty(env['COMMUNITY_LAB_CREDENTIALS'])
  const files =
    named === undefined
      ? [...new Set(folders)].flatMap((folder) => names.map((name) => joinPath(folder, name)))
      : [named]
  if (url !== undefined && token !== undefined && credentialsFile === undefined) {
    // A file for the same testbed adds its control socket. A file for another testbed is ignored.
    const near = firstFile(files, read)
    const same = near !== null && sameUrl(near.credentials.url, url)
    const socket = same ? near.credentials.vct_socket : undefined
    const source = 'the options or the environment'
    const chosen = { url, token, ...(socket === undefined ? {} : { vct_socket: socket }) }
    return { ...checkCredentials(source, chosen), file: same ? near.file : null }
  }
  const found = firstFile(files, read)
  if (found === null && named !== undefined)
    throw new LabError('LAB_CREDENTIALS_INVALID', { file: named, problem: 'ENOENT' })
  const isOther = found !== null && url !== undefined && !sameUrl(found.credentials.url, url)
  if (found === null || (isOther && credentialsFile === undefined)) {
    const searched = ['COMMUNITY_LAB_URL and COMMUNITY_LAB_TOKEN', ...files]
    throw new LabError('LAB_CREDENTIALS_MISSING', { searched })
  }
  const { vct_socket: socket, ...own } = found.credentials
  const chosen = {
    ...own,
    ...(isOther || socket === undefined ? {} : { vct_socket: socket }),
    ...(url === undefined ? {} : { url }),
    ...(token === undefined ? {} : { token }),
  }
  return { ...checkCredentials(found.file, chosen), file: found.file }
}

/**
 * Return the folders in which credentials are searched: `$COMMUNITY_LAB_HOME`, `.community-lab` in the current folder and those above it, the user's settings.
 * `cwd` and `settings` are absolute.
 */
export function credentialsFolders(
  env: CredentialsPlaces['env'],
  cwd: string,
  settings: string,
): readonly string[] {
  const home = nonEmpty(env['COMMUNITY_LAB_HOME'])
  const near: string[] = []
  for (let folder = cwd; ; folder = folder.slice(0, Math.max(folder.lastIndexOf('/'), 0))) {
    near.push(joinPath(folder === '' ? '/' : folder, '.community-lab'))
    if (folder === '' || folder === '/' || !folder.includes('/')) break
  }
  return [...(home === undefined ? [] : [home]), ...near, settings]
}

/** The folder of a user's settings: `$XDG_CONFIG_HOME/community-lab`, else `~/.config/community-lab`. `userHome` is the user's home folder. */
export function settingsFolderOf(env: CredentialsPlaces['env'], userHome: string): string {
  const base = nonEmpty(env['XDG_CONFIG_HOME']) ?? joinPath(env['HOME'] ?? userHome, '.config')
  return joinPath(base, 'community-lab')
}

/** Parse the text of a credentials file. Members that a newer version has added are left out. @throws {@link LabError} LAB_CREDENTIALS_INVALID. */
export function parseCredentials(file: string, text: string): Credentials {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    // The message of the parser quotes the text, which may contain the token.
    throw new LabError('LAB_CREDENTIALS_INVALID', { file, problem: 'it is not JSON' })
  }
  if (!Value.Check(Credentials, document)) {
    const problem = describeMismatch(Credentials, document)
    throw new LabError('LAB_CREDENTIALS_INVALID', { file, problem })
  }
  const { url, token, vct_socket: socket } = document
  return { url, token, ...(socket === undefined ? {} : { vct_socket: socket }) }
}

/** Check an address and a token. Returns the address without trailing slashes. @throws {@link LabError} LAB_CREDENTIALS_INVALID. */
export function checkCredentials(file: string, credentials: Credentials): Credentials {
  const url = URL.canParse(credentials.url) ? new URL(credentials.url) : null
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    const problem = `url ${JSON.stringify(credentials.url)} is no http or https address`
    throw new LabError('LAB_CREDENTIALS_INVALID', { file, problem })
  }
  if (!/^[\x21-\x7e]+$/u.test(credentials.token))
    throw new LabError('LAB_CREDENTIALS_INVALID', { file, problem: 'its token is malformed' })
  return { ...credentials, url: url.href.replace(/\/+$/u, '') }
}

interface FoundFile {
  readonly file: string
  readonly credentials: Credentials
}

function firstFile(files: readonly string[], read: ReadText): FoundFile | null {
  for (const file of files) {
    const text = readOrRefuse(file, read)
    if (text !== null) return { file, credentials: parseCredentials(file, text) }
  }
  return null
}

/** A file that does not exist is skipped. A file that cannot be read is an error, because it was meant to be used. */
function readOrRefuse(file: string, read: ReadText): string | null {
  try {
    return read(file)
  } catch (cause) {
    const problem = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw new LabError('LAB_CREDENTIALS_INVALID', { file, problem }, { cause })
  }
}

function sameUrl(one: string, other: string): boolean {
  return one.replace(/\/+$/u, '') === other.replace(/\/+$/u, '')
}

function joinPath(folder: string, name: string): string {
  return folder.endsWith('/') ? folder + name : `${folder}/${name}`
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value.trim()
}
