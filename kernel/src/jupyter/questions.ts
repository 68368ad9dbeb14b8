import type { OpenComms } from './open-comms.ts'
import type { Compiler } from './compile/compiler.ts'
import type { History } from './history.ts'
import { kernelInfo } from './identity.ts'
import type { Json, MessageDraft } from './wire/message.ts'

/** What the answers are made from. */
export interface Knowledge {
  readonly compiler: Compiler
  readonly history: History
  readonly comms: OpenComms
}

/** Answer a request that runs no code; null when its type is unknown. */
export async function answerQuestion(
  type: string,
  content: Json,
  { compiler, history, comms }: Knowledge,
): Promise<MessageDraft | null> {
  const code = textOf(content['code'])
  switch (type) {
    case 'kernel_info_request':
      return { type: 'kernel_info_reply', content: kernelInfo() }
    case 'complete_request': {
      const { start, end, matches } = await compiler.complete(code, cursorOf(content, code))
      const range = { cursor_start: start, cursor_end: end }
      // Source: Jupyter's experimental metadata of completions, which JupyterLab reads.
      const types = matches.map(({ text, type }) => ({ start, end, text, type }))
      const metadata = { _jupyter_types_experimental: types }
      return reply('complete_reply', {
        matches: matches.map(({ text }) => text),
        ...range,
        metadata,
      })
    }
    case 'inspect_request': {
      const found = await compiler.inspect(code, cursorOf(content, code))
      const data = found === null ? {} : { 'text/markdown': found, 'text/plain': plainOf(found) }
      return reply('inspect_reply', { found: found !== null, data, metadata: {} })
    }
    case 'is_complete_request': {
      const { rest } = readQuestion(code)
      return { type: 'is_complete_reply', content: { ...(await compiler.isComplete(rest)) } }
    }
    case 'history_request':
      return reply('history_reply', { history: history.find(content) })
    case 'comm_info_request':
      return reply('comm_info_reply', { comms: comms.list(content['target_name']) })
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

/** Return the text without code fences, for a terminal. */
export function plainOf(markdown: string): string {
  return markdown.replace(/^```.*\n?/gmu, '').trimEnd()
}

const before = /^\s*\?{1,2}\s*([\p{ID_Start}$_][\p{ID_Continue}$.]*)\s*$/u
const after = /(?:^|\n)[^\S\n]*([\p{ID_Start}$_][\p{ID_Continue}$.]*)\?{1,2}\s*$/u

/**
 * Read the question that a cell asks, as in IPython: `name?` on its last line or `?name` alone, also with two question marks. Neither is TypeScript: `?name`
 * after another line would be the middle of an expression. `rest` is the cell without the question.
 */
export function readQuestion(code: string): {
  readonly question: string | null
  readonly rest: string
} {
  const found = before.exec(code) ?? after.exec(code)
  return { question: found?.[1] ?? null, rest: code.slice(0, found?.index) }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
