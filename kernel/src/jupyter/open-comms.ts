import type { CommMessage } from './child/protocol.ts'
import type { Json, Message, MessageDraft } from './wire/message.ts'

/** Tracks which comms are open, and converts Jupyter's comm messages for the process that runs cells. */
export class OpenComms {
  readonly #targets = new Set<string>()
  readonly #open = new Map<string, string>()

  /** Note that a cell has registered a comm target. */
  register(target: string): void {
    this.#targets.add(target)
  }

  /** Close all comms, because the process that had them has ended. Returns the messages for the page. */
  reset(): readonly MessageDraft[] {
    const closed = [...this.#open.keys()].map((id) => closeDraft(id, {}))
    this.#targets.clear()
    this.#open.clear()
    return closed
  }

  /** Handle a comm message from the page. Returns the message for the cells, a reply to the page, or neither. */
  receive({ header, content, buffers: parts }: Message): {
    readonly pass?: CommMessage
    readonly answer?: MessageDraft
  } {
    const type = header.msg_type
    const buffers = parts.map((part) => part.toString('base64'))
    const id = textOf(content['comm_id'])
    const data = content['data'] ?? {}
    if (type === 'comm_open') {
      const target = textOf(content['target_name'])
      if (!this.#targets.has(target)) return { answer: closeDraft(id, {}) }
      this.#open.set(id, target)
      return { pass: { type: 'open', id, target, data, buffers } }
    }
    const target = this.#open.get(id)
    if (target === undefined) return {}
    if (type === 'comm_close') this.#open.delete(id)
    return { pass: { type: type === 'comm_close' ? 'close' : 'msg', id, target, data, buffers } }
  }

  /** Convert a comm message from a cell for the page. */
  send({ type, id, target, data, buffers: texts }: CommMessage): MessageDraft {
    const buffers = texts.map((text) => Buffer.from(text, 'base64'))
    if (type === 'close') {
      this.#open.delete(id)
      return closeDraft(id, data)
    }
    if (type === 'msg') return { type: 'comm_msg', content: { comm_id: id, data }, buffers }
    this.#open.set(id, target)
    return { type: 'comm_open', content: { comm_id: id, target_name: target, data }, buffers }
  }

  /** Return the content of comm_info_reply: all open comms, or those of one target. */
  list(target: unknown): Json {
    const found = [...this.#open].filter(
      ([, name]) => typeof target !== 'string' || name === target,
    )
    return Object.fromEntries(found.map(([id, name]) => [id, { target_name: name }]))
  }
}

function closeDraft(id: string, data: unknown): MessageDraft {
  return { type: 'comm_close', content: { comm_id: id, data } }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
