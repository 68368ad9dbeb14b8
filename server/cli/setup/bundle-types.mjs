// @ts-check
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { dts } from 'rolldown-plugin-dts'
import ts from 'typescript'
import { cellTypes } from './programs.mjs'

/**
 * Bundle the types of the library that cells import into one file without the types of what the library is made of. The kernel checks each cell against it:
 * in their own files, these types are half of all that the compiler has in memory. @param {string} root the checkout
 */
export async function bundleTypes(root) {
  const bundle = await rolldown({
    input: join(root, 'kernel/dist/index.d.ts'),
    cwd: root,
    platform: 'node',
    checks: { pluginTimings: false },
    external: (id) => /^[^./]/u.test(id) && !id.startsWith('@community-lab/'),
    plugins: [
      withoutUnreachable(join(root, 'kernel/dist/')),
      dts({ dtsInput: true, tsconfig: false, resolver: 'tsc' }),
      separateComments,
    ],
    onLog(level, log) {
      if (level === 'warn') throw new Error(log.message)
    },
  })
  await bundle.write({ file: join(root, cellTypes), format: 'esm' })
  await bundle.close()
}

/** Give a comment behind a member a line of its own: it belongs to the next member, and TypeScript would not take it for that. */
const separateComments = {
  name: 'separate-comments',
  /** @param {string} code */
  renderChunk(code) {
    return { code: code.replaceAll('; /** ', ';\n  /** '), map: null }
  },
}

/**
 * Leave out the members of the library's classes that no cell can reach: constructors, because the library exports these classes as types alone, and what has
 * a symbol of the library's own as its name. They alone mention the library's parts.
 * @param {string} folder where its declarations are
 */
function withoutUnreachable(folder) {
  return {
    name: 'without-unreachable',
    /** @param {string} code @param {string} id */
    transform(code, id) {
      if (!id.startsWith(folder)) return null
      const file = ts.createSourceFile(id, code, ts.ScriptTarget.Latest)
      const members = file.statements
        .filter(ts.isClassDeclaration)
        .flatMap((each) => [...each.members])
      const kept = members
        .filter(isUnreachable)
        .toReversed()
        .reduce((text, { pos, end }) => text.slice(0, pos) + text.slice(end), code)
      return { code: kept, map: null }
    },
  }
}

/** @param {ts.ClassElement} member */
function isUnreachable({ kind, name }) {
  if (kind === ts.SyntaxKind.Constructor) return true
  return name !== undefined && ts.isComputedPropertyName(name) && ts.isIdentifier(name.expression)
}
