// @ts-check

/**
 * The programs that the testbed starts, as the compiler made them. Each becomes one file beside it, `main.bundle.js`: a program that is one file starts
 * with a third of the processor time of one that is a thousand files, and takes less memory. A testbed starts many at once.
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
]

/** The file that a program is bundled into. @param {string} program */
export const bundleOf = (program) => program.replace(/\.js$/u, '.bundle.js')

/** The kernel's thread that compiles cells. It is bundled too: in a bundle, TypeScript takes half of the memory. */
export const cellCompiler = 'kernel/dist/jupyter/compile/compile-thread.js'

/** The types of the library as cells are checked against them: the package's `exports` names this file for the kernel's compiler. */
export const cellTypes = 'kernel/dist/cell-types.d.ts'
