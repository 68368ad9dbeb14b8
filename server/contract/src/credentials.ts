import { Value } from 'typebox/value'
import { LabError } from './error/lab-error.ts'
import { Credentials } from './schema/credentials.ts'
import { describeMismatch } from './mismatch.ts'

/** What a program's caller says of its testbed. Each member outranks the environment, which outranks the files. */
export interface CredentialsOptions {
  readonly url?: string
  readonly token?: string
  /** A credentials file to use instead of those it would find. */
  readonly credentialsFile?: string
}

/** Where a program looks for credentials. */
export interface CredentialsPlaces {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Data folders of testbeds and folders of settings, in the order in which they are looked at. Each may hold the files. */
  readonly folders: readonly string[]
  /** Names of files to look for in each folder, the one to prefer first. */
  readonly names: readonly string[]
}

/** Reads a file; null when it is not there. Throws what the system says otherwise. */
export type ReadText = (file: string) => string | null

/** Credentials with the file that they came from; null: from options or the environment alone. */
export interface ChosenCredentials extends Credentials {
  readonly file: string | null
}

/**
 * Choose the credentials that a program uses: its options; COMMUNITY_LAB_URL with COMMUNITY_LAB_TOKEN; the file COMMUNITY_LAB_CREDENTIALS; the first file
 * that is in one of the folders. A token is for its own testbed: it is sent to another address only by who names its file beside that address.
 *
 * @throws {@link LabError} LAB_CREDENTIALS_MISSING with every place looked at; LAB_CREDENTIALS_INVALID.
 */
export function chooseCredentials(
  options: CredentialsOptions,
  { env, folders, names }: CredentialsPlaces,
  read: ReadText,
): ChosenCredentials {
  const { credentialsFile } = options
  // A file named in the options outranks the environment: its token is for its own address, and what the environment holds is for another.
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
 * The folders in which credentials are looked for: `$COMMUNITY_LAB_HOME`, `.community-lab` in the current folder and those above it, the user's settings.
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

/** Read the text of a credentials file; what a later version may have written besides is left out. @throws {@link LabError} LAB_CREDENTIALS_INVALID. */
export function parseCredentials(file: string, text: string): Credentials {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    // The parser's message quotes the text, and with it perhaps the token.
    throw new LabError('LAB_CREDENTIALS_INVALID', { file, problem: 'it is not JSON' })
  }
  if (!Value.Check(Credentials, document)) {
    const problem = describeMismatch(Credentials, document)
    throw new LabError('LAB_CREDENTIALS_INVALID', { file, problem })
  }
  const { url, token, vct_socket: socket } = document
  return { url, token, ...(socket === undefined ? {} : { vct_socket: socket }) }
}

/** Check an address and a token; the address comes back without slashes at its end. @throws {@link LabError} LAB_CREDENTIALS_INVALID. */
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

/** Only a file that is not there is passed over. One that cannot be read is an error, because it was meant to be used. */
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
