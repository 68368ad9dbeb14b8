import { enableCompileCache, flushCompileCache } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import { IdleCollection } from '../garbage.ts'
import type { CompilerMethods } from './compilation.ts'

/** What a compiler needs. */
export interface CompilerOptions {
  /** The notebook's folder, in which its imports are looked for first. */
  readonly folder: string
  /** A file beside which packages are looked for that the notebook's folder lacks. */
  readonly fallbackFile: string
}

/** A question to the thread that compiles. */
export interface CompilerQuestion {
  readonly id: number
  readonly method: keyof CompilerMethods
  readonly args: Parameters<CompilerMethods[keyof CompilerMethods]>
}

/** Its answer. */
export type CompilerAnswer =
  { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: Error }

/** The thread compiles the next text of {@link warmUp} after so long without a question, in milliseconds. */
const idleMs = 100

/** The thread collects garbage after so long without a question, in milliseconds. That takes 0.2 s. */
const collectionMs = 1000

/** Texts like the first cells of most notebooks. They are compiled in advance: this loads the libraries, and V8 compiles the compiler. */
const warmUp = [
  "import { Plot, connect, show } from '@community-lab/kernel'\nconst lab = connect()\nshow(Plot.plot({ marks: [] }))",
  'function f(x: number): number {\n  return x * 2\n}\nf(1)',
  'for (const n of [1, 2].map((x) => x + 1)) console.log(`${n}`)\nawait Promise.all([])\nclass A { n = 1 }\nnew A().n',
]

/*
 * This thread compiles cells, so that the kernel's sockets never wait for a compilation. The compile cache is enabled before TypeScript is loaded, which
 * then takes 90 ms instead of 370.
 */
enableCompileCache()
const { Checker } = await import('./checker.ts')
const { folder, fallbackFile } = workerData as CompilerOptions
const checker = new Checker(folder, fallbackFile)
const port = parentPort

// This loads what every cell needs. A cell that has come meanwhile would wait for it anyway.
checker.warm('0')
port?.postMessage(null)
const steps = [...warmUp]
const collection = new IdleCollection(collectionMs)

/** Compile the next text after a time without questions: the questions at the end of a cell must not wait for it. */
const warm = setTimeout(() => {
  const step = steps.shift()
  if (step !== undefined) checker.warm(step)
  // Save what V8 has compiled for the next kernel. It is saved now because this process may be killed.
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
