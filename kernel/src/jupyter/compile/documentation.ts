import ts from 'typescript'

/** The documentation of a declaration, as Markdown. */
export interface Documentation {
  readonly text: string
  /** The descriptions of the parameters, by name. */
  readonly parameters: ReadonlyMap<string, string>
}

const none: Documentation = { text: '', parameters: new Map() }

/**
 * Read the comment before a declaration. Packages are parsed without comments, which are most of their text, so the comment is read from the file when it is
 * needed.
 */
export function documentationOf(symbol: ts.Symbol | undefined): Documentation {
  for (const declaration of symbol?.declarations ?? []) {
    const comment = commentBefore(declaration)
    if (comment !== null) return readComment(comment)
  }
  return none
}

/** Return the last comment of the form `/** … *\/` before the statement or member that declares something. */
function commentBefore(declaration: ts.Declaration): string | null {
  const { text } = declaration.getSourceFile()
  // The comment of `const x = …` is before the statement, not before the declaration.
  const holder = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration
  const before = holder.getFullStart()
  // In `{ /** … */ x: number }`, TypeScript takes the comment for one behind the brace.
  const sameLine = (ts.getTrailingCommentRanges(text, before) ?? []).filter(
    ({ end }) => !text.slice(end, holder.getStart()).includes('\n'),
  )
  const ranges = [...sameLine, ...(ts.getLeadingCommentRanges(text, before) ?? [])]
  const comments = ranges.map(({ pos, end }) => text.slice(pos, end))
  return comments.findLast((comment) => comment.startsWith('/**')) ?? null
}

function readComment(comment: string): Documentation {
  const lines = comment
    .slice('/**'.length, -'*/'.length)
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/u, '').trimEnd())
  const body: string[] = []
  const parameters = new Map<string, string>()
  let parameter: string | null = null
  for (const line of lines) {
    const [, tag, rest = ''] = /^\s*@(\w+)\s*(.*)$/u.exec(line) ?? []
    if (tag === undefined) {
      if (parameter === null) body.push(line)
      else parameters.set(parameter, `${parameters.get(parameter) ?? ''} ${line.trim()}`.trim())
      continue
    }
    parameter = null
    const [, name, what = ''] =
      /^(?:\{[^}]*\}\s*)?\[?([\w$.]+)[^\s\]]*\]?\s*(?:-\s*)?(.*)$/u.exec(rest) ?? []
    if (tag === 'param' && name !== undefined) {
      parameter = name
      parameters.set(name, what)
    } else if (!hiddenTags.has(tag)) body.push('', `*@${tag}* ${rest}`.trimEnd())
  }
  return {
    text: linksOf(
      body
        .join('\n')
        .replaceAll(/\n{3,}/gu, '\n\n')
        .trim(),
    ),
    parameters,
  }
}

/** Tags that mean nothing to users. */
const hiddenTags: ReadonlySet<string> = new Set(['internal', 'module', 'hidden', 'ignore'])

/** Replace `{@link x}` by Markdown. */
function linksOf(text: string): string {
  return text.replaceAll(
    /\{@link(?:code|plain)?\s+([^\s}|]+)\s*\|?\s*([^}]*)\}/gu,
    (_, to: string, label: string) => {
      if (/^https?:/u.test(to)) return `[${label === '' ? to : label}](${to})`
      return label === '' ? `\`${to}\`` : label
    },
  )
}
