// @ts-check

/**
 * The programs that the testbed starts, as the compiler wrote them. Each is bundled into a file beside it, `main.bundle.js`, and a few for what it loads
 * later. So it starts with a third of the processor time of a program in a thousand files, and uses less memory. A testbed starts many at once.
 */
export const programs = [
  'agent/dist/main.js',
  'server/dist/gateway/main.js',
  'server/dist/main.js',
  'server/dist/telemetry/store/worker.js',
  'server/vct/dist/launch/sweep-main.js',
  'server/vct/dist/main.js',
  'server/vct/dist/network/relay-main.js',
  'server/vct/dist/pod/pod-main.js',
  'server/cli/dist/main.js',
  'server/cli/dist/completion/main.js',
]

/** The commands of the command line, for the completion of shells, as the program itself describes them. */
export const commandsFile = 'server/cli/dist/completion/commands.json'

/** Return the bundle of a program. @param {string} program */
export const bundleOf = (program) => program.replace(/\.js$/u, '.bundle.js')

/** The kernel's thread that compiles cells. It is bundled, too, because TypeScript in a bundle uses half of the memory. */
export const cellCompiler = 'kernel/dist/jupyter/compile/compile-thread.js'

/** The types of the library against which cells are checked. The package's `exports` has this file for the kernel's compiler. */
export const cellTypes = 'kernel/dist/cell-types.d.ts'
