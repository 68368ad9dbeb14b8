import { enableCompileCache, flushCompileCache } from 'node:module'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { IdleCollection } from '../garbage.ts'
import { siblingFile } from '../sibling-file.ts'
import { currentCell, runInCell, type Cell } from './cell.ts'
import { Comms } from './comms.ts'
import { captureOutput, print } from './console.ts'
import { createDisplay, createTslab } from './display.ts'
import { Executor } from './execution.ts'
import { textOf } from './failure.ts'
import { compileLate } from './late-compiler.ts'
import { createModules } from './modules.ts'
import { createOutputCap } from './output-cap.ts'
import { createPrompt } from './prompt.ts'
import type { ChildEvent, ChildRequest, ExecuteRequest } from './protocol.ts'
import { installStackTraces, type MadeCode } from './stack.ts'
import { Stdin } from './stdin.ts'
import { StreamBuffer } from './stream-buffer.ts'

const kernelFolder = fileURLToPath(new URL('../', import.meta.url))
const codes = new Map<string, MadeCode>()
const [, , logFolder = '.'] = process.argv

// Bound at the start, because a cell may replace process.send. When the kernel is gone, this process ends.
const sendToKernel = process.send?.bind(process)
const send = (event: ChildEvent): void => void sendToKernel?.(event)
const buffer = new StreamBuffer({
  publish({ cell, name, text }) {
    send(name === 'notice' ? { is: 'notice', cell, text } : { is: 'stream', cell, name, text })
  },
  now: () => performance.now(),
  schedule: (callback, delayMs) => void setTimeout(callback, delayMs),
})
const emit = (event: ChildEvent): void => {
  buffer.flush()
  send(event)
}

const display = createDisplay(emit)
const comms = new Comms(emit)
const tell = (text: string): void => print(buffer, 'stderr', `${text}\n`)
const modules = createModules({
  folder: process.cwd(),
  fallbackFile: fileURLToPath(import.meta.url),
  builtIn: new Map([
    ['tslab', createTslab(display)],
    ['community-lab:jupyter', comms.module],
  ]),
  tell,
  compile(path) {
    const file = compileLate(path, process.cwd())
    codes.set(path, { lineMap: file.lineMap, prefix: null })
    return file
  },
})
const executor = new Executor(modules, tell)

/** The process collects garbage after this time without a cell, in milliseconds. */
const collectionMs = 5000
/** The process does not collect garbage while its objects take more than this, in bytes, because the collection would stop it for too long. */
const mostCollected = 64 * 2 ** 20
const collection = new IdleCollection({
  idleMs: collectionMs,
  mostBytes: mostCollected,
  // A timer of an earlier cell may be measuring something.
  mayCollect: () => !executor.isRunning && !process.getActiveResourcesInfo().includes('Timeout'),
})

async function execute(request: ExecuteRequest): Promise<void> {
  codes.set(request.name, { lineMap: request.lineMap, prefix: request.prefix })
  for (const { path, lineMap } of request.files) codes.set(path, { lineMap, prefix: null })
  const cell: Cell = {
    number: request.cell,
    name: request.name,
    cap: createOutputCap(logFolder, `kernel-${process.pid}-${request.name}`),
    abort: new AbortController(),
    canAsk: request.canAsk,
  }
  const { failure, result, notice, reached } = await executor.execute(cell, request)
  const shown = result === null ? null : cell.cap.admitBundle(result).data
  if (shown !== null) emit({ is: 'result', cell: cell.number, data: shown })
  if (notice !== null) runInCell(cell, () => print(buffer, 'stderr', notice))
  const told = failure === null ? null : cell.cap.admitFailure(failure)
  emit({ is: 'done', cell: cell.number, failure: told, reached })
  collection.defer()
}

function createStdin(prompt: (text: string) => string): Stdin {
  return new Stdin({
    // The question has been printed.
    ask: () => prompt(''),
    canAsk: () => currentCell()?.canAsk ?? false,
    fail: (error) => executor.fail(error),
  })
}

/** Report an uncaught error. The stack of an error from inside Node names no cell, so this names the cell that started the work. */
function tellUncaught(error: unknown): void {
  const text = textOf(error)
  const name = currentCell()?.name
  const isPlaced = /\bcell-[\w-]+\.ts\b/u.test(text)
  const place = isPlaced || name === undefined ? '' : `    in what ${name} has started\n`
  print(buffer, 'stderr', `Uncaught ${text}\n${place}`)
}

/** The process that runs cells and holds their variables. The process that started it has the kernel's sockets. */
function main(): void {
  new Worker(siblingFile(import.meta.url, 'interrupt-thread')).unref()
  installStackTraces(codes, kernelFolder)
  const prompt = createPrompt(emit)
  captureOutput(buffer, (text) => stdin.hear(text))
  let stdin = createStdin(prompt)
  Object.defineProperty(process, 'stdin', {
    // A stream that has ended cannot be read again, so the next cell gets a new one.
    get: () => (stdin.readableEnded ? (stdin = createStdin(prompt)) : stdin),
    configurable: true,
  })
  console.clear = () => emit({ is: 'clear', cell: currentCell()?.number ?? 0 })
  Object.defineProperties(globalThis, {
    [Symbol.for('community-lab.display')]: { value: display },
    [Symbol.for('community-lab.interrupt')]: { get: () => currentCell()?.abort.signal },
    prompt: { value: prompt, writable: true, configurable: true },
  })
  // An error in background work of a cell must not end this process, which holds all variables.
  process.on('uncaughtException', tellUncaught)
  process.on('unhandledRejection', tellUncaught)
  // The kernel interrupts cells by a message. Ctrl-C in a terminal is for the kernel itself.
  process.on('SIGINT', () => undefined)
  process.on('disconnect', () => process.exit())
  process.on('message', (request: ChildRequest) => {
    if (request.do === 'execute') return void execute(request)
    if (request.do === 'warm') {
      // An error is ignored here: a cell that imports the library gets the same error.
      enableCompileCache()
      modules.import('@community-lab/kernel', null).then(
        () => {
          flushCompileCache()
          // Loading leaves 30 MiB of garbage.
          collection.defer()
        },
        () => undefined,
      )
      return
    }
    if (request.do === 'comm') {
      comms.take(request.message)
      return
    }
    if (request.do === 'charge') {
      executor.charge(request.cell, request.length)
      return
    }
    emit({ is: 'interrupting', cell: request.cell })
    executor.interrupt(request.cell)
  })
  send({ is: 'ready' })
}

main()
