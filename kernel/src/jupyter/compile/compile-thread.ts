import { enableCompileCache, flushCompileCache } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import { IdleCollection } from '../garbage.ts'
import type { CompilerMethods } from './compilation.ts'

/** Options of {@link Compiler}. */
export interface CompilerOptions {
  /** The notebook's folder, from which imports are resolved first. */
  readonly folder: string
  /** A file from which packages are resolved that the notebook's folder lacks. */
  readonly fallbackFile: string
}

/** A call of a method of the compiler thread. */
export interface CompilerQuestion {
  readonly id: number
  readonly method: keyof CompilerMethods
  readonly args: Parameters<CompilerMethods[keyof CompilerMethods]>
}

/** The result of a call. */
export type CompilerAnswer =
  { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: Error }

/** After this time without a call, the thread compiles the next text of {@link warmUp}, in milliseconds. */
const idleMs = 100

/** After this time without a call, the thread collects garbage, in milliseconds. The collection takes 0.2 s. */
const collectionMs = 1000

/** Texts like the first cells of most notebooks. Compiling them in advance loads the libraries, and makes V8 optimize the compiler. */
const warmUp = [
  "import { Plot, connect, show } from '@community-lab/kernel'\nconst lab = connect()\nshow(Plot.plot({ marks: [] }))",
  'function f(x: number): number {\n  return x * 2\n}\nf(1)',
  'for (const n of [1, 2].map((x) => x + 1)) console.log(`${n}`)\nawait Promise.all([])\nclass A { n = 1 }\nnew A().n',
]

/*
 * This thread compiles cells, so that a compilation never blocks the kernel's sockets. The compile cache is enabled before TypeScript is loaded, which then
 * takes 90 ms instead of 370.
 */
enableCompileCache()
const { Checker } = await import('./checker.ts')
const { folder, fallbackFile } = workerData as CompilerOptions
const checker = new Checker(folder, fallbackFile)
const port = parentPort

// Load what every cell needs. A cell that has arrived meanwhile would wait for it anyway.
checker.warm('0')
port?.postMessage(null)
const steps = [...warmUp]
const collection = new IdleCollection({ idleMs: collectionMs })

/** Compile the next text only after a time without calls, because the calls at the end of a cell must not wait for it. */
const warm = setTimeout(() => {
  const step = steps.shift()
  if (step !== undefined) checker.warm(step)
  // Save V8's compiled code for the next kernel now, because this process may be killed.
  if (steps.length === 0) flushCompileCache()
  else warm.refresh()
  collection.defer()
}, idleMs)

port?.on('message', ({ id, method, args }: CompilerQuestion) => {
  let answer: CompilerAnswer
  try {
    answer = { id, value: Reflect.apply(checker[method], checker, args) }
  } catch (thrown) {
    answer = { id, error: thrown instanceof Error ? thrown : new Error(String(thrown)) }
  }
  port.postMessage(answer)
  if (steps.length > 0) warm.refresh()
  collection.defer()
})
