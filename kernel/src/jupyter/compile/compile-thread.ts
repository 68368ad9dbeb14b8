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

/** After this time without a call, the thread takes the next step of its preparation, in milliseconds. */
const idleMs = 100

/** After this time without a call, the thread collects garbage, in milliseconds. The collection takes 0.2 s. */
const collectionMs = 1000

/** Texts like the first cells of most notebooks. Compiling them in advance loads the libraries. */
const warmUp = [
  "import { Plot, connect, show } from '@community-lab/kernel'\nconst lab = connect()\nshow(Plot.plot({ marks: [] }))",
  'function f(x: number): number {\n  return x * 2\n}\nf(1)',
  'for (const n of [1, 2].map((x) => x + 1)) console.log(`${n}`)\nawait Promise.all([])\nclass A { n = 1 }\nnew A().n',
]

/** Short texts, for V8 to optimize what every cell needs. Before that, the first cells take twice as long. */
const rehearsal = Array.from(
  { length: 24 },
  (_, n) => `function f(x: number): number {\n  return x * ${n}\n}\nf(${n}) + 1`,
)

/** So many of the {@link rehearsal} are compiled at once. That takes 20 ms. */
const rehearsedAtOnce = 4

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
const rehearse = (from: number): void => {
  for (const text of rehearsal.slice(from, from + rehearsedAtOnce)) checker.warm(text)
}
const collection = new IdleCollection({
  idleMs: collectionMs,
  // A collection discards optimized code. Without this, the next cell takes twice as long, 6 to 11 ms of processor time.
  onCollected: () => rehearse(0),
})
const steps = [
  ...warmUp.map((text) => () => checker.warm(text)),
  () => {
    // Save V8's compiled code for the next kernel now, because this process may be killed.
    flushCompileCache()
    // Before the rehearsal, because a collection discards optimized code.
    collection.collect()
  },
  ...Array.from({ length: rehearsal.length / rehearsedAtOnce }, (_, n) => () => {
    rehearse(n * rehearsedAtOnce)
  }),
]

/** Take the next step only after a time without calls, because the calls at the end of a cell must not wait for it. */
const warm = setTimeout(() => {
  steps.shift()?.()
  if (steps.length > 0) warm.refresh()
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
