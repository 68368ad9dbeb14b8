import type { CommMessage } from './child/protocol.ts'
import type { Json, Message, MessageDraft } from './wire/message.ts'

/** Knows which conversations with the page are open, and turns Jupyter's comm messages into those of the process that runs cells. */
export class OpenComms {
  readonly #targets = new Set<string>()
  readonly #open = new Map<string, string>()

  /** A cell takes conversations of that name from now on. */
  register(target: string): void {
    this.#targets.add(target)
  }

  /** Close all conversations, because the process that held them has ended. Returns the messages that tell the page. */
  reset(): readonly MessageDraft[] {
    const closed = [...this.#open.keys()].map((id) => closeDraft(id, {}))
    this.#targets.clear()
    this.#open.clear()
    return closed
  }

  /** Read a message of the page. Returns what to pass on to the cells, or what to answer, or neither. */
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

  /** Turn a message of a cell into one for the page. */
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

  /** The open conversations, all or those of one target, as `comm_info_reply` has them. */
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
