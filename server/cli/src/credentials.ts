import { readFile } from 'node:fs/promises'
import { Credentials, LabError } from '@community-lab/contract'
import { Value } from 'typebox/value'
import { createClient, type Client } from './http/client.ts'
import { filesOf, type Context } from './context.ts'

/**
 * Find the credentials to use: COMMUNITY_LAB_URL with COMMUNITY_LAB_TOKEN, else the file that COMMUNITY_LAB_CREDENTIALS names, else those of
 * this checkout's own testbed (its operator's first).
 *
 * @throws {@link LabError} LAB_CLI_NO_CREDENTIALS, LAB_CLI_BAD_CREDENTIALS, LAB_CONFIG_MISSING.
 */
export async function findCredentials(context: Context): Promise<Credentials> {
  const { env, home } = context
  const url = env['COMMUNITY_LAB_URL']
  if (url !== undefined && url !== '') {
    const token = env['COMMUNITY_LAB_TOKEN']
    if (token === undefined || token === '')
      throw new LabError('LAB_CONFIG_MISSING', {
        variable: 'COMMUNITY_LAB_TOKEN',
        meaning: `the token for ${url}`,
      })
    return { url, token }
  }
  const chosen = env['COMMUNITY_LAB_CREDENTIALS']
  const files = filesOf(home)
  const places =
    chosen === undefined || chosen === ''
      ? [files.operatorCredentials, files.credentials]
      : [chosen]
  for (const file of places) {
    const found = await readCredentials(file)
    if (found !== null) return found
  }
  throw new LabError('LAB_CLI_NO_CREDENTIALS', { file: places.at(-1) ?? files.credentials })
}

/** Read a credentials file; null when there is none. @throws {@link LabError} LAB_CLI_BAD_CREDENTIALS. */
export async function readCredentials(file: string): Promise<Credentials | null> {
  const text = await readText(file)
  if (text === null) return null
  const document = parseJson(text)
  if (Value.Check(Credentials, document)) return document
  const [issue] = Value.Errors(Credentials, document)
  const reason = `${issue?.instancePath ?? ''} ${issue?.message ?? 'not JSON'}`.trim()
  throw new LabError('LAB_CLI_BAD_CREDENTIALS', { file, reason })
}

/** A client of the server that the credentials are for. */
export async function connectServer(context: Context): Promise<Client> {
  const { url, token } = await findCredentials(context)
  return createClient({ base: url, token, signal: context.signal })
}

async function readText(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isMissing(error)) return null
    const reason = error instanceof Error ? error.message : String(error)
    throw new LabError('LAB_CLI_BAD_CREDENTIALS', { file, reason }, { cause: error })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The schema's check tells.
    return undefined
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
