import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setImmediate as immediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createOutputCap, sizeOf, type OutputCap } from './child/output-cap.ts'
import { childFds, type ChildEvent, type ChildRequest, type Failure } from './child/protocol.ts'
import type { CommMessage, InputAnswer, StreamName } from './child/protocol.ts'
import type { CompiledCell } from './compile/compilation.ts'
import { OutOfMemory } from './out-of-memory.ts'
import { endPrograms, leftPrograms, programsOf } from './programs.ts'
import { siblingFile } from './sibling-file.ts'

/** Events of a cell, during and after its run. */
export type CellEvent = Exclude<
  ChildEvent,
  { readonly is: 'ready' | 'interrupting' | 'notice' | 'done' }
>

/** The request of a cell to run. */
export interface RunSource {
  /** The number of the request. */
  readonly number: number
  /** The name of the cell in stack traces, such as `cell-3.ts`. */
  readonly name: string
  /** Whether a user at the notebook can be asked for input. */
  readonly canAsk: boolean
}

/** How a cell ended. */
export interface RunEnding {
  /** Why the cell failed; null when it did not. */
  readonly failure: Failure | null
  /** How many of its imports and declarations were completed. */
  readonly reached: number
}

/** Options of {@link Runner}. */
export interface RunnerOptions {
  /** The notebook's folder: the current folder of cells. */
  readonly folder: string
  /** The folder for output that is too long to show. */
  readonly logFolder: string
  onEvent(event: CellEvent): void
  /** Called when the process that held all variables has ended and a new one was started. */
  onLost(): void
}

/** Times after an interrupt, in milliseconds: when a cell that processes no messages is terminated from outside, and when its process is killed. */
const stopAfterMs = 500
const killAfterMs = 3000

/** After this many failed starts in a row, no other process is started until the next cell. */
const maxFailedStarts = 3

/**
 * Runs cells in another process, so that an endless loop cannot block the kernel.
 *
 * Invariants: only one cell runs at a time. Every run ends, if necessary with the process and all variables; then its failure says so.
 */
export class Runner {
  readonly #options: RunnerOptions
  #child: ChildProcess
  #running: { readonly cell: number; end(ending: RunEnding): void } | null = null
  #lastCell = 0
  /** The limit of what programs of the latest cell print. */
  #rawCap: { readonly cell: number; readonly cap: OutputCap } | null = null
  readonly #outOfMemory = new OutOfMemory()
  #heard = false
  #asking = false
  #stopping = false
  /** How many processes in a row ended, or could not be started, before they were ready. */
  #failedStarts = 0
  /** Whether no process is left. The next cell starts one. */
  #isDown = false
  #timers: NodeJS.Timeout[] = []

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#child = this.#start()
  }

  /** Run one cell. Never rejects. */
  async run(cell: CompiledCell, source: RunSource): Promise<RunEnding> {
    const { number } = source
    if (this.#isDown) this.#child = this.#start()
    const ended = Promise.withResolvers<RunEnding>()
    this.#lastCell = number
    this.#running = { cell: number, end: ended.resolve }
    const { name, canAsk } = source
    this.#send({ do: 'execute', cell: number, name, canAsk, ...cell })
    const ending = await ended.promise
    await readPipes()
    this.#clear()
    return ending
  }

  /** Pass a comm message from the page to the cells. */
  sendComm(message: CommMessage): void {
    this.#send({ do: 'comm', message })
  }

  /** Load in advance what most notebooks import. */
  warm(): void {
    this.#send({ do: 'warm' })
  }

  /**
   * Interrupt the running cell, if any: first by a message, then by terminating its code from outside, finally by killing its process. A waiting prompt is
   * refused, whichever cell it belongs to.
   */
  interrupt(): void {
    this.answer({ refused: 'the cell was interrupted' })
    if (this.#running === null || this.#timers.length > 0) return
    const { cell } = this.#running
    this.#heard = false
    this.#send({ do: 'interrupt', cell })
    this.#timers = [
      setTimeout(() => {
        if (!this.#heard) this.#pipe(childFds.interrupt).write('stop\n')
      }, stopAfterMs),
      setTimeout(() => void this.#kill(), killAfterMs),
    ]
  }

  /** Answer the prompt that waits, if any. */
  answer(answer: InputAnswer): void {
    if (!this.#asking) return
    this.#asking = false
    this.#pipe(childFds.input).write(`${JSON.stringify(answer)}\n`)
  }

  /** End the process and the programs that cells have started. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#clear()
    if (this.#isDown || this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    await Promise.all([this.#kill(), exited])
  }

  /** Kill the process. Find the programs of its cells first: afterwards nothing links them to it. */
  async #kill(): Promise<void> {
    const programs = programsOf(this.#child.pid ?? 0)
    this.#child.kill('SIGKILL')
    await endPrograms(programs)
  }

  #start(): ChildProcess {
    this.#isDown = false
    const child = fork(
      fileURLToPath(siblingFile(import.meta.url, 'child/main')),
      [this.#options.logFolder],
      {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe', 'pipe'],
        execArgv: [],
        cwd: this.#options.folder,
      },
    )
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.setEncoding('utf8').on('data', (text: string) => this.#takeRaw(name, text))
    // Writing to a process that has just ended fails. The handler of its exit does the rest.
    for (const fd of Object.values(childFds)) pipeOf(child, fd).on('error', () => undefined)
    child.on('error', (error) => {
      // A process that could not be started does not exit. Other errors are of messages to a process that has ended.
      if (child.pid === undefined) this.#replace(error.message)
    })
    child.on('message', (event: ChildEvent) => this.#take(event))
    // Its last words may still be in the pipes.
    child.once('exit', (code, signal) => {
      void readPipes().then(() => this.#replace(signal ?? `exit code ${String(code)}`))
    })
    return child
  }

  #take(event: ChildEvent): void {
    if (event.is === 'ready') {
      this.#failedStarts = 0
      return
    }
    if (event.is === 'interrupting') {
      this.#heard = true
      return
    }
    if (event.is === 'done') {
      if (this.#running?.cell === event.cell) this.#running.end(event)
      return
    }
    if (event.is === 'notice') {
      const { cell, text } = event
      this.#options.onEvent({ is: 'stream', cell, name: 'stderr', text })
      return
    }
    if (event.is === 'input') this.#asking = true
    if ('cell' in event && event.cell === this.#lastCell) {
      if (event.is === 'display' || event.is === 'result')
        this.#capOf(event.cell).charge(sizeOf(event.data))
      if (event.is === 'stream') {
        // A program may have printed since the cell last counted its own output.
        this.#show(event.cell, event.name, event.text)
        return
      }
    }
    if (event.is === 'comm target') this.#options.onEvent(event)
    else this.#options.onEvent(event.cell === 0 ? { ...event, cell: this.#lastCell } : event)
  }

  /** Handle output that bypasses the console: that of programs and native code, and Node's last messages. */
  #takeRaw(name: StreamName, raw: string): void {
    if (this.#timers.length > 0 && name === 'stderr') return
    // Node prints this because of the inspector that interrupts cells.
    const own = raw.replace('Waiting for the debugger to disconnect...\n', '')
    const text = name === 'stderr' ? this.#outOfMemory.show(own) : own
    if (text === '') return
    const cell = this.#lastCell
    this.#send({ do: 'charge', cell, length: this.#show(cell, name, text) })
  }

  /** Show text of a cell within its limit. Returns the number of characters that are shown. */
  #show(cell: number, name: StreamName, text: string): number {
    const { shown, notice } = this.#capOf(cell).admit(text)
    if (shown !== '') this.#options.onEvent({ is: 'stream', cell, name, text: shown })
    if (notice !== null) this.#options.onEvent({ is: 'stream', cell, name: 'stderr', text: notice })
    return shown.length
  }

  /** Return the limit of a cell for what its programs print. The cell's own process has the same limit. Each process counts what the other has shown. */
  #capOf(cell: number): OutputCap {
    if (this.#rawCap?.cell !== cell) {
      const file = `kernel-${this.#child.pid ?? 0}-cell-${cell}-programs`
      this.#rawCap = { cell, cap: createOutputCap(this.#options.logFolder, file) }
    }
    return this.#rawCap.cap
  }

  /** Start a new process after one has ended. If several in a row have failed to start, for example because a file is missing, the next cell tries it again. */
  #replace(how: string): void {
    const interrupted = this.#timers.length > 0
    const running = this.#running
    this.#clear()
    if (this.#stopping) return
    const reason = this.#outOfMemory.takeReason() ?? how
    const wasReady = this.#failedStarts === 0
    const lost = 'all variables are lost, run the cells that make them again'
    const name = interrupted ? 'KeyboardInterrupt' : 'ProcessExit'
    const message = interrupted
      ? `the cell did not react to the interrupt, so its process was ended; ${lost}`
      : `the process that runs cells has ended (${reason}); ${lost}`
    if (running === null && wasReady)
      this.#options.onEvent({
        is: 'stream',
        cell: this.#lastCell,
        name: 'stderr',
        text: `${message}\n`,
      })
    // Programs that were found before the process was killed have ended already.
    void endPrograms(leftPrograms())
    this.#failedStarts += 1
    this.#isDown = this.#failedStarts > maxFailedStarts
    if (!this.#isDown) this.#child = this.#start()
    this.#options.onLost()
    running?.end({ failure: { name, message, text: '' }, reached: 0 })
  }

  #send(request: ChildRequest): void {
    // If sending fails, the process has ended, and its exit handler ends the run.
    this.#child.send(request, () => undefined)
  }

  #pipe(fd: number): Duplex {
    return pipeOf(this.#child, fd)
  }

  #clear(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers = []
    this.#running = null
    this.#asking = false
  }
}

/**
 * Wait until everything was read that was in a pipe when the cell ended. Output of programs and the message of the end use different pipes, and a page ignores
 * output of a cell after its end. Node reads pipes between two immediates; the first one is still before that.
 */
async function readPipes(): Promise<void> {
  await immediate()
  await immediate()
}

function pipeOf(child: ChildProcess, fd: number): Duplex {
  return child.stdio[fd] as Duplex
}
