import { ActualInterface, MemberError } from '@community-lab/contract'
import Type, { type Static } from 'typebox'

const nullable = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S) =>
  Type.Union([schema, Type.Null()])

/** What a sliver's folder tells of it. */
export const SliverRecord = Type.Object({
  id: Type.String(),
  nr: Type.Integer({ minimum: 1, maximum: 125 }),
  stage: Type.Enum(['allocated', 'deployed', 'started'] as const),
  sliceInstanceSn: Type.Integer(),
  instanceSn: Type.Integer(),
  limits: Type.Object({
    memory: Type.Number(),
    disk: Type.Number(),
    cpu: Type.Number(),
    processes: Type.Number(),
  }),
  templateSha256: nullable(Type.String()),
  sshAuthorizedKeys: Type.Array(Type.String()),
  interfaces: Type.Array(ActualInterface),
  sshHostKey: nullable(Type.String()),
  startedOn: nullable(Type.String()),
  /** Its first process: noted when its container is created, before the sliver counts as started. */
  process: nullable(
    Type.Object({ pid: Type.Integer(), startTicks: Type.Number(), bootId: Type.String() }),
  ),
  ended: nullable(MemberError),
})
export type SliverRecord = Static<typeof SliverRecord>
