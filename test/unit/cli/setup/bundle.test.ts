import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { fetchBuiltins, writeAscii } from '../../../../server/cli/setup/bundle.mjs'
import { bundleOf, cellCompiler } from '../../../../server/cli/setup/programs.mjs'

const fetched = (code: string): string => fetchBuiltins().renderChunk(code).code

it.each([
  ['import { a, b as c } from "node:fs/promises";', 'const {a, b: c} = …("node:fs/promises");'],
  // `const process = process.…` would read the constant before it is there.
  ['import process from "node:process";', 'const process = …("node:process");'],
  ['import process$1 from "node:process";', 'const process$1 = …("node:process");'],
  ['import * as path from "node:path";', 'const path = …("node:path");'],
  ['import fs, { open } from "node:fs";', 'const fs = …("node:fs"); const {open} = …("node:fs");'],
])('takes what is imported from Node.js as require does: %s', (code, expected) => {
  const spaced = fetched(code).replaceAll(/\{ ?(.*?) ?\}/gu, '{$1}')
  expect(spaced).toBe(expected.replaceAll('…', 'globalThis.process.getBuiltinModule'))
})

it('leaves other imports, and refuses one of Node.js that it does not know', () => {
  const other = 'import { bind } from "@duckdb/node-bindings";'
  expect(fetched(other)).toBe(other)
  expect(() => fetched('import "node:fs";')).toThrow('import "node:fs"')
})

it('writes characters beyond ASCII as escapes that mean the same', () => {
  const code = "[...'né – 😀'.matchAll(/[é–]|\\p{Emoji}/gu)].join()"
  const files = { 'main.js': { code }, 'main.js.map': {} }
  writeAscii().generateBundle({}, files)
  expect(files['main.js'].code).toMatch(/^[\0-\x7f]*$/u)
  expect(runInNewContext(files['main.js'].code)).toBe('é,–,😀')
})

it('loads TypeScript from a file of its own, after the compile cache was enabled', () => {
  const checkout = join(import.meta.dirname, '../../../..')
  const entry = readFileSync(join(checkout, bundleOf(cellCompiler)), 'utf8')
  expect(entry).toMatch(/;\w+\(\);const\{Checker:\w+\}=await import\(`\.\/[\w.-]+\.js`\)/u)
  expect(entry.length).toBeLessThan(10_000)
})
