import { readFile, rename, writeFile } from 'node:fs/promises'
import { Credentials, routes, TokenCreated } from '@community-lab/contract'
import { Value } from 'typebox/value'
import type { ServerClient } from './server-client.ts'

/** Read a credentials file; null when there is none or it is not one. */
export async function maybeCredentials(file: string): Promise<Credentials | null> {
  try {
    const document: unknown = JSON.parse(await readFile(file, 'utf8'))
    return Value.Check(Credentials, document) ? document : null
  } catch {
    // A missing or damaged file is written again.
    return null
  }
}

/** Write a credentials file, whole or not at all, for its owner's eyes only. */
export async function writeCredentials(file: string, credentials: Credentials): Promise<void> {
  await writeFile(`${file}.new`, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

/** A researcher's token: the one of the file when the server still takes it, else a new one. */
export async function ensureResearcherToken(
  operator: ServerClient,
  file: string,
  signal: AbortSignal,
): Promise<string> {
  const before = await maybeCredentials(file)
  if (before !== null) {
    const asker = operator.withToken(before.token)
    if ((await asker.status(routes.whoami, { signal })) === 200) return before.token
  }
  const created = await operator.ask(TokenCreated, routes.tokens, {
    method: 'POST',
    body: {
      name: `vct-${Date.now().toString(36)}`,
      role: 'researcher',
      user: 'researcher',
      group: 'local',
    },
    signal,
  })
  return created.secret
}
