/** A place in a command of a POSIX shell. `code`: where a word may begin. */
export type ShellPlace =
  | 'code'
  | 'single quotes'
  | 'double quotes'
  | 'backticks'
  | 'a here-document'
  | 'a comment'
  | 'an escape'
  | 'a variable’s name'

/** A construct that is open at a point of a command. The one that was opened last is the innermost. */
type Context = 'single' | 'double' | 'backticks' | 'braces' | 'parentheses' | 'arithmetic'

interface HereDocument {
  readonly delimiter: string
  /** Whether the operator is `<<-`, which ignores leading tabs. */
  readonly stripsTabs: boolean
  /** Whether the delimiter is unquoted, so that `$(…)` in the text is expanded. */
  readonly expands: boolean
}

const wordEnd = /[\s;&|()<>]/u

/**
 * Determine the place at the end of the beginning of a command.
 *
 * Source: POSIX.1-2024, Shell Command Language, 2.2 Quoting, 2.3 Token Recognition, 2.7.4 Here-Document.
 */
export function placeAtEnd(text: string): ShellPlace {
  return new ShellReader(text).read()
}

/** The text of a here-document is parsed as in double quotes, except that a double quote has no special meaning. */
function placeInText(text: string): ShellPlace {
  return placeAtEnd(`"${text.replaceAll('"', ' ')}`)
}

class ShellReader {
  readonly #text: string
  readonly #open: Context[] = []
  /** The here-documents that begin after the current line. */
  #announced: HereDocument[] = []
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  read(): ShellPlace {
    while (this.#at < this.#text.length) {
      const place = this.#readNext()
      if (place !== null) return place
    }
    if (this.#text.endsWith('$') && this.#isUnescaped(this.#at - 1)) return 'a variable’s name'
    return this.#place()
  }

  #place(): ShellPlace {
    if (this.#open.includes('backticks')) return 'backticks'
    for (const context of this.#open.toReversed()) {
      if (context === 'single') return 'single quotes'
      if (context === 'double') return 'double quotes'
      if (context !== 'braces') return 'code'
    }
    return 'code'
  }

  /** Read the next character or construct. Returns a place when the text ends inside of it. */
  #readNext(): ShellPlace | null {
    const rest = this.#text.slice(this.#at)
    const inner = this.#open.at(-1)
    if (inner === 'single') return this.#skip(rest.startsWith("'") ? this.#close() : 1)
    if (rest.startsWith('\\')) return rest.length === 1 ? 'an escape' : this.#skip(2)
    if (this.#readExpansion(rest)) return null
    if (inner === 'double') return this.#skip(rest.startsWith('"') ? this.#close() : 1)
    return this.#readCode(rest, inner)
  }

  /** Read `$(…)`, `$((…))`, `${…}` or backticks, which may occur outside of quotes and in double quotes. */
  #readExpansion(rest: string): boolean {
    const opened = /^\$(?:\(\(|\(|\{)/u.exec(rest)?.[0]
    if (opened !== undefined) {
      const kinds = { '$((': 'arithmetic', '$(': 'parentheses', '${': 'braces' } as const
      this.#open.push(kinds[opened as keyof typeof kinds])
      this.#at += opened.length
      return true
    }
    if (!rest.startsWith('`')) return false
    if (this.#open.at(-1) === 'backticks') this.#open.pop()
    else this.#open.push('backticks')
    this.#at += 1
    return true
  }

  #readCode(rest: string, inner: Context | undefined): ShellPlace | null {
    const isInQuotedBraces = inner === 'braces' && this.#place() === 'double quotes'
    if (rest.startsWith("'") && !isInQuotedBraces) return this.#skip(this.#openAs('single'))
    if (rest.startsWith('"')) return this.#skip(this.#openAs('double'))
    if (inner === 'braces') return this.#skip(rest.startsWith('}') ? this.#close() : 1)
    if (inner === 'arithmetic' && rest.startsWith('))')) return this.#skip(this.#close() + 1)
    if (rest.startsWith('(')) return this.#skip(this.#openAs('parentheses'))
    if (rest.startsWith(')')) return this.#skip(inner === 'parentheses' ? this.#close() : 1)
    if (inner === 'arithmetic') return this.#skip(1)
    if (rest.startsWith('#') && this.#isWordStart()) return this.#skipComment(rest)
    if (rest.startsWith('<<') && !rest.startsWith('<<<')) return this.#readHereOperator(rest)
    if (rest.startsWith('\n')) return this.#readHereDocuments()
    return this.#skip(rest.startsWith('<<<') ? 3 : 1)
  }

  #skipComment(rest: string): ShellPlace | null {
    const end = rest.indexOf('\n')
    return end === -1 ? 'a comment' : this.#skip(end)
  }

  /** Read `<<` and the word after it. */
  #readHereOperator(rest: string): null {
    const [operator = '', dash = '', word = ''] =
      /^<<(-?)[ \t]*((?:'[^']*'|"[^"]*"|\\.|[^\s;&|()<>'"\\])*)/u.exec(rest) ?? []
    if (word !== '')
      this.#announced.push({
        delimiter: word.replace(/['"\\]/gu, ''),
        stripsTabs: dash !== '',
        expands: !/['"\\]/u.test(word),
      })
    return this.#skip(operator.length)
  }

  /** At the end of a line, read the here-documents that the line has announced. */
  #readHereDocuments(): ShellPlace | null {
    this.#at += 1
    for (const document of this.#announced.splice(0)) {
      const end = this.#endOf(document)
      // Shells disagree about where a here-document ends whose text leaves an expansion open.
      if (end === null || this.#isLeftOpen(document, end)) return this.#placeInside(document)
      this.#at = end
    }
    return null
  }

  /**
   * Return the offset after a here-document; null when it has no end. Where its text is expanded, a backslash at the end of a line joins it to the next one
   * before the shell looks for the delimiter.
   */
  #endOf({ delimiter, stripsTabs, expands }: HereDocument): number | null {
    let joined = ''
    for (let start = this.#at; ;) {
      const end = this.#text.indexOf('\n', start)
      if (end === -1) return null
      const line = joined + this.#text.slice(start, end)
      if (expands && /(?<!\\)(?:\\\\)*\\$/u.test(line)) joined = line.slice(0, -1)
      else if ((stripsTabs ? line.replace(/^\t+/u, '') : line) === delimiter) return end
      else joined = ''
      start = end + 1
    }
  }

  #isLeftOpen({ expands }: HereDocument, end: number): boolean {
    return expands && placeInText(this.#text.slice(this.#at, end)) !== 'double quotes'
  }

  /** Return the place when the text ends inside of a here-document: in its text, or in a `$(…)` of it. */
  #placeInside({ expands }: HereDocument): ShellPlace {
    if (this.#open.includes('backticks')) return 'backticks'
    if (!expands) return 'a here-document'
    const place = placeInText(this.#text.slice(this.#at))
    return place === 'double quotes' ? 'a here-document' : place
  }

  #isWordStart(): boolean {
    const before = this.#text[this.#at - 1]
    return before === undefined || wordEnd.test(before)
  }

  #isUnescaped(at: number): boolean {
    let backslashes = 0
    while (this.#text[at - 1 - backslashes] === '\\') backslashes += 1
    return backslashes % 2 === 0 && this.#open.at(-1) !== 'single'
  }

  #openAs(context: Context): number {
    this.#open.push(context)
    return 1
  }

  #close(): number {
    this.#open.pop()
    return 1
  }

  #skip(count: number): null {
    this.#at += count
    return null
  }
}
