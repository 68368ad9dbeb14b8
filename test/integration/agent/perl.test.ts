import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const dir = join(import.meta.dirname, '../../../agent/perl')
const files = (await readdir(dir, { recursive: true })).filter((name) => /\.p[lm]$/u.test(name))

it.each(files)('%s compiles without a warning', async (name) => {
  const { stderr } = await promisify(execFile)('perl', ['-c', '-w', `-I${dir}`, join(dir, name)], {
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  })
  expect(stderr.trim()).toBe(`${join(dir, name)} syntax OK`)
})

it.each(files)('%s is strict, and keeps to the width of a page', async (name) => {
  const text = await readFile(join(dir, name), 'utf8')
  expect(text).toMatch(/^use strict;\nuse warnings;$/mu)
  expect(text.split('\n').filter((line) => line.length > 160)).toEqual([])
  expect(text).not.toMatch(/\t| $/mu)
})
