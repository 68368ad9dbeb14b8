import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { Checker } from '../../../../kernel/src/jupyter/compile/checker.ts'

/** Return JavaScript's own declarations of each name, such as `String.at`, with overloads in order. */
function declarationsOf(program: ts.Program): Record<string, string[]> {
  const found: Record<string, string[]> = {}
  const add = (node: ts.Node, file: ts.SourceFile, path: string): void => {
    const isNamed = ts.isTypeElement(node) || ts.isStatement(node) || ts.isVariableDeclaration(node)
    const name = isNamed && 'name' in node ? (node.name as ts.Node | undefined)?.getText(file) : ''
    const inner = name === undefined || name === '' ? path : `${path}.${name}`
    if (ts.isInterfaceDeclaration(node)) for (const each of node.members) add(each, file, inner)
    else if (ts.isModuleDeclaration(node) && node.body !== undefined) add(node.body, file, inner)
    else if (ts.isModuleBlock(node)) for (const each of node.statements) add(each, file, inner)
    else (found[inner] ??= []).push(node.getText(file).replaceAll(/\s+/gu, ' '))
  }
  const files = program.getSourceFiles().filter((file) => program.isSourceFileDefaultLibrary(file))
  for (const file of files) for (const each of file.statements) add(each, file, '')
  return found
}

it('cells are checked against the same declarations of JavaScript that TypeScript has in many files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cl-test-'))
  try {
    const path = join(folder, 'empty.ts')
    await writeFile(path, '')
    const options = { target: ts.ScriptTarget.ES2024, lib: ['lib.esnext.d.ts'], types: [] }
    const { '': unnamed = [], ...expected } = declarationsOf(ts.createProgram([path], options))
    const { '': others = [], ...found } = declarationsOf(
      new Checker(folder, import.meta.filename).program,
    )
    expect(Object.keys(expected).length).toBeGreaterThan(1_000)
    expect(found).toEqual(expected)
    expect(others.toSorted()).toEqual(unnamed.toSorted())
  } finally {
    await rm(folder, { recursive: true })
  }
})
