import Type, { type Static } from 'typebox'
import { nullable, Ref, Time } from './common.ts'
import { Role } from './access.ts'

/** Kinds of objects whose changes are kept in the audit trail. */
export const AuditKind = Type.Enum([
  'node',
  'slice',
  'sliver',
  'run',
  'template',
  'user',
  'group',
  'token',
  'request',
  'agreement',
  'server',
  'island',
  'host',
] as const)
export type AuditKind = Static<typeof AuditKind>

/**
 * A change of an object: who made it, from where, by which token, and what for. Names are those of that time; users and tokens may be gone. What the server
 * does by itself, such as removing a slice that has ended, has neither user nor token.
 */
export const AuditEntry = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    time: Time,
    user: nullable(Ref),
    user_name: nullable(Type.String()),
    token: nullable(Ref),
    token_name: nullable(Type.String()),
    role: nullable(Role),
    address: nullable(Type.String({ description: 'where it came from; null: this machine' })),
    right: Type.String({ description: 'what was done: "change a node"' }),
    kind: AuditKind,
    action: Type.Enum(['created', 'updated', 'deleted'] as const),
    object_id: Type.String({ description: 'several slivers of a slice: <slice>@*' }),
    object_name: nullable(Type.String({ description: 'of an object that was removed' })),
    count: Type.Integer({ description: 'how many objects' }),
  },
  { $id: 'AuditEntry' },
)
export type AuditEntry = Static<typeof AuditEntry>
