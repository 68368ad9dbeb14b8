import { randomUUID } from 'node:crypto'
import { userInfo } from 'node:os'

/** The version of the Jupyter messaging protocol of this kernel. */
export const protocolVersion = '5.3'

/** Any JSON object. */
export type Json = Readonly<Record<string, unknown>>

/** The header of a message. See the Jupyter messaging protocol. */
export interface Header {
  readonly msg_id: string
  readonly session: string
  readonly username: string
  /** ISO 8601. */
  readonly date: string
  readonly msg_type: string
  readonly version: string
}

/** A decoded message of the Jupyter messaging protocol. */
export interface Message {
  /** The routing prefix of a ROUTER socket; the topic of a PUB socket. */
  readonly identities: readonly Buffer[]
  readonly header: Header
  /** The header of the request that this message answers; empty for a request. */
  readonly parentHeader: Header | Record<string, never>
  readonly metadata: Json
  readonly content: Json
  /** Binary buffers, as in comm messages. */
  readonly buffers: readonly Buffer[]
}

/** The type and content of a new message. */
export interface MessageDraft {
  readonly type: string
  readonly content: Json
  readonly metadata?: Json
  readonly buffers?: readonly Buffer[]
}

const session = randomUUID()
const username = userInfo().username

/** Make the reply to a request: with its identities, and with its header as the parent. */
export function createReply(request: Message, draft: MessageDraft): Message {
  return { ...createMessage(draft), identities: request.identities, parentHeader: request.header }
}

/** Make a message for iopub. Its topic is its type; its parent is the request that caused it. */
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
