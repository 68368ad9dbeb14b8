import { readFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { CommandNode } from './command-tree.ts'
import { readNames } from './names.ts'
import { joinWords, propose, type Proposal } from './propose.ts'

/**
 * What a shell asks when somebody presses Tab: `main.js SHELL WORD…`, with the words after the program's name up to the cursor. The first line of the answer is `files` or
 * `words`; then comes a word a line, for zsh with a tab and its description. This program loads nothing else of the command line, so that it answers at once.
 */
const [shell = 'bash', ...given] = process.argv.slice(2)
const commands = fileURLToPath(new URL('commands.json', import.meta.url))
const whole = fileURLToPath(new URL('../main.bundle.js', import.meta.url))
const tree = JSON.parse(readFileSync(commands, 'utf8')) as CommandNode
const found = propose(tree, joinWords(given))
if (found.is === 'files') process.stdout.write('files\n')
else {
  const words = found.is === 'words' ? found.words : await namesOf(found)
  const lines = words.map(({ word, description }) =>
    shell === 'zsh' ? `${word}\t${oneLine(description)}` : withoutOption(word),
  )
  process.stdout.write(['words', ...lines, ''].join('\n'))
}

async function namesOf({ kind, start, before }: Extract<typeof found, { is: 'names' }>) {
  const program = [process.execPath, whole] as const
  const options = {
    env: process.env,
    cwd: process.cwd(),
    program: [...program] as [string, string],
  }
  const names = await readNames(kind, { ...options, nowMs: Date.now() })
  return names
    .filter(({ word }) => word.startsWith(start))
    .map(({ word, description }): Proposal => ({ word: before + word, description }))
}

/** Bash completes only what follows the `=`. */
function withoutOption(word: string): string {
  return word.replace(/^--[\w-]+=/u, '')
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim()
}
