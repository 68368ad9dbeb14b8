import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { inspect } from 'node:util'
import { Credentials as CredentialsSchema, LabError } from '@community-lab/contract'
import { Value } from 'typebox/value'

/** Which testbed, and the token for it: the content of a credentials file. */
export interface Credentials {
  /** Base URL of the server, http or https. */
  readonly url: string
  readonly token: string
  /** A virtual testbed's control socket, on this machine. */
  readonly vct_socket?: string
}

/** Where {@link findCredentials} looks first; each member outranks the environment, and that the files. */
export interface CredentialsOptions {
  readonly url?: string
  readonly token?: string
  /** A credentials file to use instead of those it would find. */
  readonly credentialsFile?: string
}

/** Where the process stands. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** Credentials and what was found beside them. They do not print their token. */
export interface FoundCredentials extends Credentials {
  /** The folder of the file they came from; null: they came from options or the environment alone. */
  readonly folder: string | null
}

/**
 * Find the credentials: from the options; COMMUNITY_LAB_URL and COMMUNITY_LAB_TOKEN; the file COMMUNITY_LAB_CREDENTIALS;
 * `$COMMUNITY_LAB_HOME/credentials.json`, which `npm start` sets for its kernels; `.community-lab/credentials.json` in this folder or one above it;
 * `$XDG_CONFIG_HOME/community-lab/credentials.json`.
 *
 * @throws {@link LabError} LAB_CREDENTIALS_MISSING with every place looked at; LAB_CREDENTIALS_INVALID.
 */
export function findCredentials(
  options: CredentialsOptions,
  { env, cwd }: Surroundings = { env: process.env, cwd: process.cwd() },
): FoundCredentials {
  const { credentialsFile } = options
  // A file named in the options outranks the environment: its token is for its own URL, and what the environment holds for another.
  const given = credentialsFile === undefined ? env : {}
  const url = options.url ?? nonEmpty(given['COMMUNITY_LAB_URL'])
  const token = options.token ?? nonEmpty(given['COMMUNITY_LAB_TOKEN'])
  const named = credentialsFile ?? nonEmpty(env['COMMUNITY_LAB_CREDENTIALS'])
  const files = named === undefined ? listFiles(env, cwd) : [path.resolve(cwd, named)]
  if (url !== undefined && token !== undefined && credentialsFile === undefined) {
    const source = 'the options or the environment'
    // A file of the same testbed adds its control socket; one of another testbed is not meant.
    const file = firstFile(files, false)
    const same = file !== null && sameUrl(file.credentials.url, url)
    const socket = same ? file.credentials.vct_socket : undefined
    return hideToken({
      ...checkUrl(source, { url, token, ...(socket === undefined ? {} : { vct_socket: socket }) }),
      folder: same ? path.dirname(file.file) : null,
    })
  }
  const found = firstFile(files, named !== undefined)
  const isOther = found !== null && url !== undefined && !sameUrl(found.credentials.url, url)
  // A token is for its own testbed: only who names its file beside an address sends it there.
  if (found === null || (isOther && credentialsFile === undefined)) {
    const searched = ['COMMUNITY_LAB_URL and COMMUNITY_LAB_TOKEN', ...files]
    throw new LabError('LAB_CREDENTIALS_MISSING', { searched })
  }
  const { vct_socket: socket, ...own } = found.credentials
  return hideToken({
    ...checkUrl(found.file, {
      ...own,
      ...(isOther || socket === undefined ? {} : { vct_socket: socket }),
      ...(url === undefined ? {} : { url }),
      ...(token === undefined ? {} : { token }),
    }),
    folder: path.dirname(found.file),
  })
}

/** Take credentials as they are, checked. @throws {@link LabError} LAB_CREDENTIALS_INVALID. */
export function takeCredentials(credentials: Credentials): FoundCredentials {
  return hideToken({ ...checkUrl('the credentials given', credentials), folder: null })
}

/** The folder of this user's settings. */
export function settingsFolder(env: Surroundings['env'] = process.env): string {
  const base = nonEmpty(env['XDG_CONFIG_HOME']) ?? path.join(env['HOME'] ?? homedir(), '.config')
  return path.join(base, 'community-lab')
}

function listFiles(env: Surroundings['env'], cwd: string): string[] {
  const files: string[] = []
  const home = nonEmpty(env['COMMUNITY_LAB_HOME'])
  if (home !== undefined) files.push(path.join(home, 'credentials.json'))
  for (let folder = path.resolve(cwd); ; folder = path.dirname(folder)) {
    files.push(path.join(folder, '.community-lab', 'credentials.json'))
    if (folder === path.dirname(folder)) break
  }
  return [...files, path.join(settingsFolder(env), 'credentials.json')]
}

function firstFile(
  files: readonly string[],
  mustExist: boolean,
): { readonly file: string; readonly credentials: Credentials } | null {
  for (const file of files) {
    const text = maybeRead(file, mustExist)
    if (text !== null) return { file, credentials: parseCredentials(file, text) }
  }
  return null
}

function maybeRead(file: string, mustExist: boolean): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    // Only a file that is not there is passed over: one that cannot be read was meant, and says so.
    if ((code === 'ENOENT' || code === 'ENOTDIR') && !mustExist) return null
    throw new LabError('LAB_CREDENTIALS_INVALID', { file, problem: code }, { cause: error })
  }
}

function parseCredentials(file: string, text: string): Credentials {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    // The parser's message quotes the text, and with it perhaps the token.
    throw new LabError('LAB_CREDENTIALS_INVALID', { file, problem: 'it is not JSON' })
  }
  if (Value.Check(CredentialsSchema, document)) return document
  const [issue] = Value.Errors(CredentialsSchema, document)
  const problem = `${issue?.instancePath ?? ''} ${issue?.message ?? 'it has another form'}`.trim()
  throw new LabError('LAB_CREDENTIALS_INVALID', { file, problem })
}

function checkUrl(file: string, credentials: Credentials): Credentials {
  const url = URL.canParse(credentials.url) ? new URL(credentials.url) : null
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    const problem = `url ${JSON.stringify(credentials.url)} is no http or https address`
    throw new LabError('LAB_CREDENTIALS_INVALID', { file, problem })
  }
  if (!/^[\x21-\x7e]+$/u.test(credentials.token))
    throw new LabError('LAB_CREDENTIALS_INVALID', { file, problem: 'its token is malformed' })
  return { ...credentials, url: url.href.replace(/\/+$/u, '') }
}

function sameUrl(one: string, other: string): boolean {
  return one.replace(/\/+$/u, '') === other.replace(/\/+$/u, '')
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value.trim()
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
