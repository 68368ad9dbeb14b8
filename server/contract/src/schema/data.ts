import Type, { type Static } from 'typebox'
import { nullable, Sha256 } from './common.ts'

/** The largest data archive, in bytes. Nodes keep it beside the sliver that it was unpacked into. */
export const maxDataBytes = 2 ** 30

/**
 * The data archive of slivers: a tar file, plain or compressed by gzip or zstd, whose files are merged over the template when a sliver is deployed. Its URI is a
 * path of this server, which members of the slice's group and nodes with slivers of it can read. A sliver that has none of its own has that of its slice.
 */
export const dataMembers = {
  data_uri: Type.Optional(nullable(Type.String())),
  data_sha256: Type.Optional(nullable(Sha256)),
}

/**
 * A change of the data archive. Either member names an archive that the group has uploaded; null, or an empty text as CONFINE's clients send it, means none.
 */
export const dataInput = {
  data_uri: Type.Optional(nullable(Type.String({ maxLength: 1024 }))),
  data_sha256: Type.Optional(nullable(Type.String({ pattern: '^([0-9a-f]{64})?$' }))),
}
export const DataInput = Type.Object(dataInput)
export type DataInput = Static<typeof DataInput>

/** A data archive that a group has uploaded. */
export const DataArchive = Type.Object(
  {
    uri: Type.String(),
    sha256: Sha256,
    size_bytes: Type.Integer(),
    group: Type.Object({ uri: Type.String(), id: Type.Integer() }),
  },
  { $id: 'DataArchive' },
)
export type DataArchive = Static<typeof DataArchive>
