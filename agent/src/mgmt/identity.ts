import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describeMismatch, LabError } from '@community-lab/contract'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import type { Format } from '../disk/domain/format.ts'
import { peekDocument, writeDocument } from '../disk/document.ts'

/** The characters of an IPv4 address, an IPv6 address (with a zone or a prefix length) or a host name. */
const address = '^[0-9A-Za-z.:_%/-]{1,255}$'

/**
 * The identity of this node and the address of its server, version 1. These strings are written into tinc's files, paths and headers, so their characters are
 * restricted.
 */
const schema = Type.Object({
  node: Type.Object({
    id: Type.Integer({ minimum: 1, maximum: 65_535 }),
    name: Type.String({ pattern: '^[A-Za-z0-9._-]{1,256}$' }),
  }),
  token: Type.String({ pattern: '^[!-~]{1,1024}$' }),
  mgmt_ipv6_prefix: Type.String({ pattern: address }),
  server: Type.Object({
    url: Type.String({ pattern: '^https://[!-~]{1,1024}$' }),
    certificate_sha256: Type.String({ pattern: '^[0-9A-Fa-f]{64}$' }),
    mgmt_addr: Type.String({ pattern: address }),
    tinc: Type.Object({
      name: Type.String({ pattern: '^[A-Za-z0-9_]{1,64}$' }),
      pubkey: Type.String({
        pattern:
          '^\\s*-----BEGIN RSA PUBLIC KEY-----\\s[A-Za-z0-9+/=\\s]+-----END RSA PUBLIC KEY-----\\s*$',
        maxLength: 4096,
      }),
      addresses: Type.Array(
        Type.Object({
          addr: Type.String({ pattern: address }),
          port: Type.Integer({ minimum: 1, maximum: 65_535 }),
        }),
      ),
    }),
  }),
})

/** The identity of this node, from the answer to its enrolment. It contains the node's token. */
export type Identity = Static<typeof schema>

/** The format of `identity.json`. */
const identityFormat: Format<typeof schema> = {
  what: 'who this node is',
  version: 1,
  readableFrom: 0,
  schema,
  // Version 1 has the members of version 0.
  migrations: [(document) => document],
}

/**
 * Read the identity from the agent's data folder; `null` when the node was never enrolled.
 *
 * @throws {@link LabError} LAB_IDENTITY_DAMAGED when the file exists but cannot be used. It is not moved, because enrolling again would need a token.
 */
export async function loadIdentity(dir: string): Promise<Identity | null> {
  const file = identityFile(dir)
  const found = await peekDocument(file, identityFormat)
  if (found.kind === 'absent') return null
  if (found.kind === 'read') return found.value
  throw new LabError('LAB_IDENTITY_DAMAGED', { file, reason: found.reason })
}

/** Save the identity, readable only by the agent. When this returns, it survives a power cut. */
export async function saveIdentity(dir: string, identity: Identity): Promise<void> {
  await mkdir(dir, { recursive: true })
  await writeDocument(identityFile(dir), identityFormat, identity)
}

/** Check that the answer to an enrolment is an identity. Returns the reason when it is not. */
export function readIdentity(answer: unknown): Identity | string {
  return Value.Check(schema, answer) ? answer : describeMismatch(schema, answer)
}

function identityFile(dir: string): string {
  return join(dir, 'identity.json')
}
