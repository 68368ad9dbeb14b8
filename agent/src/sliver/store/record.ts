import Type, { type Static, type TSchema } from 'typebox'
import type { SliverTarget } from '@community-lab/contract'
import type { Format } from '../../disk/domain/format.ts'
import { readSliver } from '../../plan/wanted.ts'

const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()])

/** The first process of a sliver's container. */
const processSchema = Type.Object({
  pid: Type.Integer(),
  startTicks: Type.Number(),
  bootId: Type.String(),
})

/** The record in a sliver's folder, version 3. These members are independent of the API: they change with a version and a migration. */
const schema = Type.Object({
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
  interfaces: Type.Array(
    Type.Object({
      nr: Type.Integer(),
      name: Type.String(),
      type: Type.Enum(['management', 'public6'] as const),
      mac_addr: Type.String(),
      ipv6_addr: nullable(Type.String()),
    }),
  ),
  sshHostKey: nullable(Type.String()),
  startedOn: nullable(Type.String()),
  /** Its first process. It is recorded when the container is created, before the sliver counts as started. */
  process: nullable(processSchema),
  /**
   * The protection of a container at its creation: the SHA-256 from `protectionSha256`, and the first process of that container. An agent that does not know
   * this member keeps it when it starts the sliver again with its own protection; then the process differs. Since version 2.
   */
  protection: Type.Optional(Type.Object({ sha256: Type.String(), process: processSchema })),
  /**
   * The target with which it was allocated, as the server sent it. It is read as leniently as a target, and keeps what only newer agents understand. Since
   * version 3.
   */
  configuration: Type.Optional(Type.Unknown()),
  /** Why it ended by itself; null when it did not. */
  ended: nullable(Type.Object({ member: Type.String(), message: Type.String() })),
})
export type SliverRecord = Static<typeof schema>

/** The format of `sliver.json`. */
export const sliverRecordFormat: Format<typeof schema> = {
  what: "a sliver's record",
  version: 3,
  // Agents from before versions can read it too, because they ignore unknown members.
  readableFrom: 0,
  schema,
  // Version 1 has the members of version 0. Versions 2 and 3 have one more each, which are optional.
  migrations: [(document) => document, (document) => document, (document) => document],
}

const read = new WeakMap<object, SliverTarget | null>()

/** Return the target with which a sliver was allocated; null when an earlier version of the agent allocated it, or this version does not understand it. */
export function configurationOf({
  id,
  configuration: found,
}: Pick<SliverRecord, 'id' | 'configuration'>): SliverTarget | null {
  if (typeof found !== 'object' || found === null) return null
  const known = read.get(found)
  if (known !== undefined) return known
  const { target } = readSliver({ ...found }, id)
  read.set(found, target)
  return target
}

/** Return the data archive of a sliver; null: none. */
export function dataOf(
  record: Pick<SliverRecord, 'id' | 'configuration'>,
): SliverTarget['data'] | null {
  return configurationOf(record)?.data ?? null
}

/** Return the SHA-256 of the template that a sliver has, or is about to have; null: none. */
export function templateOf(record: SliverRecord): string | null {
  return record.templateSha256 ?? configurationOf(record)?.template?.image_sha256 ?? null
}
