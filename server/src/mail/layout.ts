/** A part of a mail: a paragraph, a link, a command to type, or a list. */
export type Block =
  | string
  | { readonly href: string }
  | { readonly command: string }
  | { readonly list: readonly string[] }

/** A mail as text and as plain HTML: both say the same. */
export interface LaidOut {
  readonly text: string
  readonly html: string
}

/** Lay out the parts of a mail. Whatever names and addresses contain, it is text there: no line of a header, and no HTML. */
export function layOut(blocks: readonly Block[]): LaidOut {
  return {
    text: `${blocks.map(toText).join('\n\n')}\n`,
    html: `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"></head><body>\n${blocks.map(toHtml).join('\n')}\n</body></html>\n`,
  }
}

/** Make one line of a text, without control characters. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()
}

function toText(block: Block): string {
  if (typeof block === 'string') return oneLine(block)
  if ('href' in block) return oneLine(block.href)
  if ('command' in block) return `    ${oneLine(block.command)}`
  return block.list.map((each) => `- ${oneLine(each)}`).join('\n')
}

function toHtml(block: Block): string {
  if (typeof block === 'string') return `<p>${escape(block)}</p>`
  if ('href' in block) return `<p><a href="${escape(block.href)}">${escape(block.href)}</a></p>`
  if ('command' in block) return `<pre>${escape(block.command)}</pre>`
  return `<ul>\n${block.list.map((each) => `<li>${escape(each)}</li>`).join('\n')}\n</ul>`
}

const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' } as const

function escape(text: string): string {
  return oneLine(text).replaceAll(/[&<>"']/gu, (found) => entities[found as keyof typeof entities])
}
