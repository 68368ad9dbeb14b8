import { randomUUID } from 'node:crypto'
import { userInfo } from 'node:os'

/** The version of the Jupyter messaging protocol that is spoken here. */
export const protocolVersion = '5.3'

/** Any JSON object. */
export type Json = Readonly<Record<string, unknown>>

/** A message's header, as the Jupyter messaging protocol defines it. */
export interface Header {
  readonly msg_id: string
  readonly session: string
  readonly username: string
  /** ISO 8601. */
  readonly date: string
  readonly msg_type: string
  readonly version: string
}

/** A message of the Jupyter messaging protocol, off the wire. */
export interface Message {
  /** Where a ROUTER socket sends the answer; a topic on the publisher. */
  readonly identities: readonly Buffer[]
  readonly header: Header
  /** The header of the request it answers; empty for a request. */
  readonly parentHeader: Header | Record<string, never>
  readonly metadata: Json
  readonly content: Json
  /** Bytes beside the content, as comms have them. */
  readonly buffers: readonly Buffer[]
}

/** What a new message says. */
export interface MessageDraft {
  readonly type: string
  readonly content: Json
  readonly metadata?: Json
  readonly buffers?: readonly Buffer[]
}

const session = randomUUID()
const username = userInfo().username

/** Make the answer to a request: same identities, its header as parent. */
export function createReply(request: Message, draft: MessageDraft): Message {
  return { ...createMessage(draft), identities: request.identities, parentHeader: request.header }
}

/** Make a message for the publisher; its topic is its type, its parent the request that caused it. */
export function createBroadcast(
  cause: Pick<Message, 'header'> | null,
  draft: MessageDraft,
): Message {
  const message = createMessage(draft)
  const identities = [Buffer.from(draft.type)]
  return { ...message, identities, parentHeader: cause === null ? {} : cause.header }
}

function createMessage(draft: MessageDraft): Omit<Message, 'identities' | 'parentHeader'> {
  return {
    header: {
      msg_id: randomUUID(),
      session,
      username,
      date: new Date().toISOString(),
      msg_type: draft.type,
      version: protocolVersion,
    },
    metadata: draft.metadata ?? {},
    content: draft.content,
    buffers: draft.buffers ?? [],
  }
}
