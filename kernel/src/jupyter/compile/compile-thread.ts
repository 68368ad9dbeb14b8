import { enableCompileCache, flushCompileCache } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
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

/** How long nobody asks before the thread prepares for what may come, in milliseconds. */
const idleMs = 100

/** What the first cells of most notebooks use: it is loaded, and V8 compiles the compiler, before they come. */
const warmUp = [
  "import { Plot, connect, show } from '@community-lab/kernel'\nconst lab = connect()\nshow(Plot.plot({ marks: [] }))",
  'function f(x: number): number {\n  return x * 2\n}\nf(1)',
  'for (const n of [1, 2].map((x) => x + 1)) console.log(`${n}`)\nawait Promise.all([])\nclass A { n = 1 }\nnew A().n',
]

/*
 * The thread that compiles cells, so that the kernel's sockets never wait for it. TypeScript is loaded after its compiled form was looked for: 90 ms
 * instead of 370.
 */
enableCompileCache()
const { Checker } = await import('./checker.ts')
const { folder, fallbackFile } = workerData as CompilerOptions
const checker = new Checker(folder, fallbackFile)
const port = parentPort

// All cells need what the first one does, so also one that came meanwhile waits for no more than it would.
checker.warm('0')
port?.postMessage(null)
const steps = [...warmUp]

/** Take the next step when nobody has asked for a while: what a cell asks at its end is not to wait for one. */
const warm = setTimeout(() => {
  const step = steps.shift()
  if (step !== undefined) checker.warm(step)
  // What V8 has compiled by now is kept for the next kernel: this one may be ended without notice.
  if (steps.length === 0) flushCompileCache()
  else warm.refresh()
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
})
