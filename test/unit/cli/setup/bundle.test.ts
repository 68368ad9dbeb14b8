import { expect, it } from 'vitest'
import { fetchBuiltins } from '../../../../server/cli/setup/bundle.mjs'

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
