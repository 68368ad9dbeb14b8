// @ts-check
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/**
 * @typedef {object} Check a check of the source
 * @property {string} name
 * @property {readonly string[]} script a program of node_modules with its arguments; its exit code is the result
 */

/**
 * @typedef {object} TestStage
 * @property {string} name
 * @property {readonly string[]} vitest the arguments of vitest; its reporter writes the result
 */

/** @type {readonly Check[]} */
const checks = [
  { name: 'types', script: ['typescript-7/bin/tsc', '--build'] },
  { name: 'lint', script: ['eslint/bin/eslint.js', '.', '--max-warnings', '0'] },
  { name: 'format', script: ['prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'] },
  {
    name: 'arrows',
    script: [
      'dependency-cruiser/bin/dependency-cruiser.mjs',
      '--config',
      '.dependency-cruiser.cjs',
      'server',
      'agent',
      'kernel',
      'extension',
    ],
  },
]

/** The projects of vitest, in the order in which they run. The quick ones come first. Those that use the whole machine run alone. */
const projects = ['unit', 'types', 'integration', 'e2e', 'notebooks', 'ui']

/**
 * Choose what to run. Without words: everything. Words that are names of stages choose these stages; other words are parts of paths of test files.
 * @param {string} root @param {readonly string[]} words
 * @returns {{ checks: readonly Check[], tests: readonly TestStage[] } | string} a sentence when nothing matches
 */
export function chooseStages(root, words) {
  const there = projects.filter((name) => hasTests(join(root, 'test', name)))
  const named = words.filter((word) => isStageName(word))
  const filters = words.filter((word) => !isStageName(word))
  const option = filters.find((word) => word.startsWith('-'))
  if (option !== undefined)
    return `${option} is no option of npm test; name stages (check, ${projects.join(', ')}) or paths of test files`
  const all = words.length === 0
  const chosenChecks = all || named.includes('check') ? checks : []
  const chosen = named.length === 0 ? there : there.filter((name) => named.includes(name))
  const absent = named.find((name) => name !== 'check' && !there.includes(name))
  if (absent !== undefined) return `there are no tests in test/${absent}`
  const onlyCheck = named.length > 0 && named.every((name) => name === 'check')
  const wanted = onlyCheck && filters.length === 0 ? [] : chosen
  const matching = wanted.filter(
    (name) => filters.length === 0 || filters.some((part) => mayMatch(name, part)),
  )
  if (wanted.length > 0 && matching.length === 0)
    return `no test file's path has ${filters.join(' or ')} in it`
  return {
    checks: chosenChecks,
    // The star includes the project `e2e-alone`, which is a part of this stage.
    tests: matching.map((name) => ({ name, vitest: ['--project', `${name}*`, ...filters] })),
  }
}

/** @param {string} word */
const isStageName = (word) => word === 'check' || projects.includes(word)

/**
 * Tell whether a path may match files of a project. A path with the folder of a project matches only that project. @param {string} name @param {string} part
 */
function mayMatch(name, part) {
  const project = /(?:^|\/)test\/([^/]+)/u.exec(part)?.[1]
  return project === undefined || project === name
}

/** @param {string} folder @returns {boolean} */
function hasTests(folder) {
  if (!existsSync(folder)) return false
  return readdirSync(folder, { withFileTypes: true }).some((entry) =>
    entry.isDirectory() ? hasTests(join(folder, entry.name)) : entry.name.endsWith('.test.ts'),
  )
}
