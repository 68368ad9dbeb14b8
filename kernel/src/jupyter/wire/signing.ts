import { createHmac, timingSafeEqual } from 'node:crypto'
import { depthOf, maxJsonDepth } from '../json.ts'
import type { Header, Json, Message } from './message.ts'

const delimiter = '<IDS|MSG>'
/** The number of signatures that are remembered, as in ipykernel. */
const maxRemembered = 65_536

/** Signs and checks messages with the key of the connection file. With an empty key, messages are not signed. */
export interface Signer {
  /** Sign a message. Returns its frames for a socket. */
  encode(message: Message): Buffer[]
  /** Decode frames. Null when they are not a message, the signature is wrong, or the same signature came before. */
  decode(frames: readonly Buffer[]): Message | null
}

/**
 * Create a signer that uses HMAC-SHA256.
 *
 * Source: Jupyter messaging protocol 5.3, "The wire protocol": identities, delimiter, signature over the four parts that follow, buffers.
 */
export function createSigner(key: string): Signer {
  const sign = (parts: readonly Buffer[]): Buffer => {
    if (key === '') return Buffer.alloc(0)
    const hmac = createHmac('sha256', key)
    for (const part of parts) hmac.update(part)
    return Buffer.from(hmac.digest('hex'))
  }
  const seen = new Set<string>()
  /** Tell whether a signed message is replayed by somebody who cannot sign. */
  const isReplay = (signature: string): boolean => {
    if (signature === '') return false
    if (seen.has(signature)) return true
    seen.add(signature)
    const [oldest = ''] = seen
    if (seen.size > maxRemembered) seen.delete(oldest)
    return false
  }
  return {
    encode(message) {
      const parts = [message.header, message.parentHeader, message.metadata, message.content].map(
        (part) => Buffer.from(JSON.stringify(part, wellFormed)),
      )
      return [
        ...message.identities,
        Buffer.from(delimiter),
        sign(parts),
        ...parts,
        ...message.buffers,
      ]
    },
    decode(frames) {
      const at = frames.findIndex((frame) => frame.equals(Buffer.from(delimiter)))
      const signature = frames[at + 1]
      const parts = frames.slice(at + 2, at + 6)
      if (at === -1 || signature === undefined || parts.length !== 4) return null
      const expected = sign(parts)
      if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) return null
      if (isReplay(signature.toString())) return null
      const [header, parentHeader, metadata, content] = parts.map(maybeObject)
      if (!isHeader(header) || metadata == null || content == null) return null
      return {
        identities: frames.slice(0, at),
        header,
        parentHeader: isHeader(parentHeader) ? parentHeader : {},
        metadata,
        content,
        buffers: frames.slice(at + 6),
      }
    },
  }
}

/** A lone surrogate, as a cell prints when it cuts text by its length, is not valid UTF-8. A notebook that contains one could not be saved. */
function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value
}

function maybeObject(frame: Buffer): Json | null {
  try {
    const text = frame.toString()
    // A reply contains parts of the request, and one this deep could not be written.
    if (depthOf(text) > maxJsonDepth) return null
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    // Not JSON, or longer than the longest string: the sender is not a Jupyter client, and the message is dropped.
    return null
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isHeader(value: unknown): value is Header {
  return (
    isObject(value) && typeof value['msg_id'] === 'string' && typeof value['msg_type'] === 'string'
  )
}
