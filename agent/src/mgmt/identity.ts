import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EnrollmentAnswer, LabError } from '@community-lab/contract'
import { Value } from 'typebox/value'
import { writeWhole } from './whole-file.ts'

/** Who this node is and how it reaches its server: the answer to its enrolment, kept. It holds the node's token. */
export type Identity = EnrollmentAnswer

/**
 * Read the identity from the agent's data folder; `null` when the node was never enrolled.
 *
 * @throws {@link LabError} LAB_IDENTITY_DAMAGED when the file is there but cannot be used: enrolling silently again would need a token.
 */
export async function loadIdentity(dir: string): Promise<Identity | null> {
  const file = join(dir, 'identity.json')
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  const value = parseJson(text)
  if (!Value.Check(EnrollmentAnswer, value)) {
    const [issue] = Value.Errors(EnrollmentAnswer, value)
    const reason = issue ? `${issue.instancePath || 'it'} ${issue.message}` : 'malformed'
    throw new LabError('LAB_IDENTITY_DAMAGED', { file, reason })
  }
  return value
}

/** Keep the identity, readable to the agent alone; when this returns it survives a power cut. */
export async function saveIdentity(dir: string, identity: Identity): Promise<void> {
  await mkdir(dir, { recursive: true })
  await writeWhole(join(dir, 'identity.json'), `${JSON.stringify(identity, null, 2)}\n`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: the schema check says so.
    return undefined
  }
}
