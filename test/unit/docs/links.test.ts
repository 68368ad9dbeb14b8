import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const tracked = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'],
  { cwd: root, encoding: 'utf8' },
)
const pages = tracked.split('\n').filter((file) => file !== '' && existsSync(path.join(root, file)))

it.each(pages)('%s links only to files that exist', (page) => {
  const text = readFileSync(path.join(root, page), 'utf8').replaceAll(/```[\s\S]*?```/gu, '')
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/gu)].map((match) => match[1] ?? '')
  const broken = targets
    .filter((target) => !/^[a-z]+:|^#/u.test(target))
    .map((target) => target.replace(/#.*$/u, ''))
    .filter((target) => !existsSync(path.join(root, path.dirname(page), target)))
  expect(broken).toEqual([])
})
