import type { CommandNode, NamedKind, OptionNode, ValueNode } from './command-tree.ts'

/** A word that can stand at the cursor. */
export interface Proposal {
  readonly word: string
  /** One line; empty: none. */
  readonly description: string
}

/** What can stand at the cursor. */
export type Proposals =
  | { readonly is: 'words'; readonly words: readonly Proposal[] }
  /** A path. The shell knows best. */
  | { readonly is: 'files' }
  /** The name of an object that the server knows, of those that begin with `start`; `before` belongs to each word. */
  | {
      readonly is: 'names'
      readonly kind: NamedKind
      readonly start: string
      readonly before: string
    }

/** Say what can stand at the cursor. `words` follow the program's name, up to the word at the cursor, which may be empty. */
export function propose(root: CommandNode, words: readonly string[]): Proposals {
  const before = words.slice(0, -1)
  const current = (words.at(-1) ?? '').replace(/^["']/u, '')
  const place = findPlace(root, before)
  if (place === null) return none
  const { command, awaited, given, seen, onlyArguments } = place
  if (awaited !== null) return proposeValue(awaited, current)
  if (current.startsWith('-') && !onlyArguments) {
    const [, flag = '', start] = /^(--[\w-]+)=(.*)$/u.exec(current) ?? []
    const value = start === undefined ? null : (findOption(command, flag)?.value ?? null)
    if (start !== undefined) return value === null ? none : proposeValue(value, start, `${flag}=`)
    const options = command.options.filter(({ flag: each }) => !seen.has(each))
    return chosen(
      options.map((option) => ({ word: option.flag, description: option.description })),
      current,
    )
  }
  if (command.commands.length > 0)
    return chosen(
      command.commands.map(({ name, description }) => ({ word: name, description })),
      current,
    )
  const last = command.args.at(-1)
  const argument = command.args[given] ?? (last?.isRepeated === true ? last : undefined)
  return argument === undefined ? none : proposeValue(argument, current)
}

const none: Proposals = { is: 'words', words: [] }

interface Place {
  readonly command: CommandNode
  /** The value that an option before the cursor waits for. */
  readonly awaited: ValueNode | null
  /** The number of arguments before the cursor. */
  readonly given: number
  readonly seen: ReadonlySet<string>
  /** Whether `--` came before. */
  readonly onlyArguments: boolean
}

/** Follow the words before the cursor; null where no command is meant. */
function findPlace(root: CommandNode, words: readonly string[]): Place | null {
  let command = root
  let awaited: ValueNode | null = null
  let given = 0
  let onlyArguments = false
  const seen = new Set<string>()
  for (const word of words) {
    if (awaited !== null) awaited = null
    else if (onlyArguments) given += 1
    else if (word === '--') onlyArguments = true
    else if (word.startsWith('-')) {
      const option = findOption(command, word.replace(/=.*$/su, ''))
      if (option !== undefined) seen.add(option.flag)
      awaited = word.includes('=') ? null : (option?.value ?? null)
    } else if (command.commands.length > 0) {
      const next = command.commands.find(({ name }) => name === word)
      if (next === undefined) return null
      command = next
    } else given += 1
  }
  return { command, awaited, given, seen, onlyArguments }
}

function findOption({ options }: CommandNode, flag: string): OptionNode | undefined {
  return options.find((option) => option.flag === flag)
}

function proposeValue(value: ValueNode, start: string, before = ''): Proposals {
  if (value.isFile === true) return { is: 'files' }
  if (value.kind !== undefined) return { is: 'names', kind: value.kind, start, before }
  const words = (value.choices ?? []).map((word) => ({ word: before + word, description: '' }))
  return chosen(words, before + start)
}

function chosen(words: readonly Proposal[], start: string): Proposals {
  return { is: 'words', words: words.filter(({ word }) => word.startsWith(start)) }
}

/** Join what bash takes apart: it makes three words of `--user=ada`. */
export function joinWords(words: readonly string[]): readonly string[] {
  return words.reduce<string[]>((joined, word) => {
    const last = joined.at(-1) ?? ''
    const belongs = word === '=' ? last.startsWith('--') : /^--[\w-]+=$/u.test(last)
    return belongs ? [...joined.slice(0, -1), last + word] : [...joined, word]
  }, [])
}
