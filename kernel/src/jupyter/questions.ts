import type { Compiler } from './compile/compiler.ts'
import type { History } from './history.ts'
import { kernelInfo } from './identity.ts'
import type { Json, MessageDraft } from './wire/message.ts'

/** What answers are made from. */
export interface Knowledge {
  compiler(): Compiler
  readonly history: History
}

/** Answer a request that runs nothing; null when its type is not known. */
export function answerQuestion(
  type: string,
  content: Json,
  { compiler, history }: Knowledge,
): MessageDraft | null {
  const code = textOf(content['code'])
  switch (type) {
    case 'kernel_info_request':
      return { type: 'kernel_info_reply', content: kernelInfo() }
    case 'complete_request': {
      const { start, end, matches } = compiler().complete(code, cursorOf(content, code))
      const range = { cursor_start: start, cursor_end: end }
      return reply('complete_reply', { matches, ...range, metadata: {} })
    }
    case 'inspect_request': {
      const text = compiler().inspect(code, cursorOf(content, code))
      const data = text === null ? {} : { 'text/plain': text }
      return reply('inspect_reply', { found: text !== null, data, metadata: {} })
    }
    case 'is_complete_request': {
      const { complete, indent } = compiler().isComplete(code)
      const answer = complete ? { status: 'complete' } : { status: 'incomplete', indent }
      return { type: 'is_complete_reply', content: answer }
    }
    case 'history_request':
      return reply('history_reply', { history: history.find(content) })
    case 'comm_info_request':
      return reply('comm_info_reply', { comms: {} })
    case 'debug_request':
      return {
        type: 'debug_reply',
        content: {
          type: 'response',
          request_seq: content['seq'] ?? 0,
          command: content['command'] ?? '',
          success: false,
          message: 'this kernel has no debugger',
        },
      }
    default:
      return null
  }
}

function reply(type: string, content: Json): MessageDraft {
  return { type, content: { status: 'ok', ...content } }
}

function cursorOf(content: Json, code: string): number {
  const cursor = content['cursor_pos']
  return typeof cursor === 'number' ? cursor : code.length
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
