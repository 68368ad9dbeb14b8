// @ts-check
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { dts } from 'rolldown-plugin-dts'
import ts from 'typescript'
import { cellTypes } from './programs.mjs'

/**
 * Bundle the types of the library that cells import into one file, without the types of the library's internal parts. The kernel checks each cell against it.
 * In separate files, these types would be half of the compiler's memory. @param {string} root the checkout
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

/** Put a comment after a member on its own line, because it belongs to the next member, and TypeScript would not see that otherwise. */
const separateComments = {
  name: 'separate-comments',
  /** @param {string} code */
  renderChunk(code) {
    return { code: code.replaceAll('; /** ', ';\n  /** '), map: null }
  },
}

/**
 * Leave out the members of the library's classes that no cell can use: constructors, because the library exports these classes only as types, and members with
 * a symbol of the library as their name. Only these mention the library's internal parts.
 * @param {string} folder the folder of its declarations
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
