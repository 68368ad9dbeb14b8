import Type, { type Static } from 'typebox'
import { nullable, Sha256, Time } from './common.ts'

/** The version of the protocol of uploads. Source: tus resumable upload protocol 1.0.0, https://tus.io/protocols/resumable-upload. */
export const tusVersion = '1.0.0'

/** The media type of the parts of an upload. Source: tus 1.0.0. */
export const tusMediaType = 'application/offset+octet-stream'

/**
 * An upload that is not finished. It can be resumed at its offset by the tus protocol, until it expires: a day after its last byte, and at most a week after its
 * beginning. What is uploaded is visible to nobody before all of it is there and has the expected SHA-256.
 */
export const Upload = Type.Object(
  {
    uri: Type.String(),
    id: Type.String(),
    length_bytes: Type.Integer(),
    offset_bytes: Type.Integer({ description: 'how much of it is here' }),
    sha256: nullable({ ...Sha256, description: 'of the whole, as its sender has announced it' }),
    created_on: Time,
    expires_on: Time,
  },
  { $id: 'Upload' },
)
export type Upload = Static<typeof Upload>
