import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { createProgram } from '../../../server/cli/src/program.ts'

// What a text tells its reader to type must exist: commands, their options, scripts of npm, and files that these take.

/** A command, as far as it is looked at here. */
interface Command {
  name(): string
  readonly commands: readonly Command[]
  readonly options: readonly { readonly long?: string | undefined }[]
}

const root = fileURLToPath(new URL('../../..', import.meta.url))
const nowhere = { write: () => true }
const program: Command = createProgram(
  {
    ...{ checkout: root, home: root, cwd: root, env: {}, out: nowhere, err: nowhere },
    ...{
      confirm: null,
      askSecrets: () => Promise.resolve([]),
      signal: new AbortController().signal,
    },
  },
  { exitCode: 0 },
  { json: false },
)
const scripts = Object.keys(
  (JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: object })
    .scripts,
)
const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
const texts = listed
  .split('\n')
  .filter((file) =>
    /\.md$|\.ipynb$|^(?:server|agent|kernel|extension)\/.*\.m?ts$|\.mjs$/u.test(file),
  )
  .filter((file) => existsSync(path.join(root, file)))
  .map((file) => ({ file, text: readFileSync(path.join(root, file), 'utf8') }))

interface Told {
  readonly file: string
  readonly line: string
  readonly words: readonly string[]
}

/** What texts tell to type after a word: up to the end of the code, of the command, or to two blanks, behind which a comment stands. */
function toldAfter(start: string): Told[] {
  const pattern = new RegExp(`${start}((?: (?! )[^\`"'\\\\\\n#|]+)?)`, 'gu')
  return texts.flatMap(({ file, text }) =>
    [...text.matchAll(pattern)].map(([line, rest = '']) => {
      const words = (rest.split(/ {2}|[,;)(…]/u)[0] ?? '').split(' ').filter(Boolean)
      return { file, line, words }
    }),
  )
}

/** What is wrong with a command; null: nothing. */
function problemOf(words: readonly string[]): string | null {
  let command: Command = program
  let at = 0
  for (; at < words.length; at++) {
    const next = command.commands.find((each) => each.name() === words[at])
    if (next === undefined) break
    command = next
  }
  const isGroup = command.commands.length > 0
  const [argument = ''] = words.slice(at)
  if (isGroup && /^[a-z]/u.test(argument)) return `there is no command ${words.join(' ')}`
  return (
    words
      .filter((word) => word.startsWith('--'))
      .map((word) => word.split('=')[0] ?? '')
      .find((option) => !hasOption(command, option)) ?? null
  )
}

function hasOption(command: Command, option: string): boolean {
  return option === '--help' || command.options.some((each) => each.long === option)
}

it('names commands that there are, with options that they have', () => {
  const told = toldAfter('(?<=`|npx |^)community-lab(?! [a-z]+:)')
  expect(told.length).toBeGreaterThan(10)
  const wrong = told.flatMap(({ file, line, words }) => {
    const problem = problemOf(words)
    return problem === null ? [] : [{ file, line, problem }]
  })
  expect(wrong).toEqual([])
})

it('names scripts of npm that there are', () => {
  const told = toldAfter('npm run')
  expect(told.length).toBeGreaterThan(5)
  const wrong = told.filter(
    ({ words: [script = ''] }) => !scripts.includes(script.replace(/\W+$/u, '')),
  )
  expect(wrong).toEqual([])
})

it('names options, in errors and their remedies, that some command has', () => {
  const all = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(all)]
  const told = texts
    .filter(({ file }) => file === 'ERRORS.md' || file.startsWith('server/contract/src/error/'))
    .flatMap(({ file, text }) =>
      [...text.matchAll(/(?<![\w-])--[a-z][a-z-]*/gu)].map(([option]) => ({ file, option })),
    )
  expect(told.length).toBeGreaterThan(3)
  const wrong = told.filter(({ option }) => !all(program).some((each) => hasOption(each, option)))
  expect(wrong).toEqual([])
})
