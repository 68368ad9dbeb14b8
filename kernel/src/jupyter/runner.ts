import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { createOutputCap, sizeOf, type OutputCap } from './child/output-cap.ts'
import { childFds, type ChildEvent, type ChildRequest, type Failure } from './child/protocol.ts'
import type { CommMessage, InputAnswer, StreamName } from './child/protocol.ts'
import type { CompiledCell } from './compile/compilation.ts'
import { endPrograms, leftPrograms, programsOf } from './programs.ts'
import { siblingFile } from './sibling-file.ts'

/** What a cell causes while (and after) it runs. */
export type CellEvent = Exclude<
  ChildEvent,
  { readonly is: 'ready' | 'interrupting' | 'notice' | 'done' }
>

/** Where a cell to run comes from. */
export interface RunSource {
  /** Number of the request that brought it. */
  readonly number: number
  /** Its name in stacks, like `cell-3.ts`. */
  readonly name: string
  /** Whether a person at the notebook can be asked. */
  readonly canAsk: boolean
}

/** How a cell ended. */
export interface RunEnding {
  /** Why it failed; null when it did not. */
  readonly failure: Failure | null
  /** How many of its imports and declarations are done. */
  readonly reached: number
}

/** What a {@link Runner} is made of. */
export interface RunnerOptions {
  /** The notebook's folder, in which cells run. */
  readonly folder: string
  /** Folder for the output that is too much to show. */
  readonly logFolder: string
  onEvent(event: CellEvent): void
  /** The process that held all variables has ended; a new one is there. */
  onLost(): void
}

/** After an interrupt: when a cell that hears nothing is stopped from outside, and when its process is ended. Milliseconds. */
const stopAfterMs = 500
const killAfterMs = 3000

/**
 * Runs cells in a process of their own, so that an endless loop cannot make the kernel deaf.
 *
 * Invariants: one cell at a time; every run ends, if need be with the process and all variables, which its failure then says.
 */
export class Runner {
  readonly #options: RunnerOptions
  #child: ChildProcess
  #running: { readonly cell: number; end(ending: RunEnding): void } | null = null
  #lastCell = 0
  /** The bound of what programs print that the last cell started. */
  #rawCap: { readonly cell: number; readonly cap: OutputCap } | null = null
  #heard = false
  #asking = false
  #stopping = false
  #timers: NodeJS.Timeout[] = []

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#child = this.#start()
  }

  /** Run a cell to its end. Never rejects. */
  async run(cell: CompiledCell, source: RunSource): Promise<RunEnding> {
    const { number } = source
    const ended = Promise.withResolvers<RunEnding>()
    this.#lastCell = number
    this.#running = { cell: number, end: ended.resolve }
    const { name, canAsk } = source
    this.#send({ do: 'execute', cell: number, name, canAsk, ...cell })
    const ending = await ended.promise
    this.#clear()
    return ending
  }

  /** Pass on a message of the page's. */
  sendComm(message: CommMessage): void {
    this.#send({ do: 'comm', message })
  }

  /** Load what most notebooks import, before a cell waits for it. */
  warm(): void {
    this.#send({ do: 'warm' })
  }

  /** Interrupt the cell that runs, if one does: first by asking, then from outside, at last by ending its process. A waiting prompt is refused, whichever cell has asked. */
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

  /** Answer the prompt of a cell, if one waits. */
  answer(answer: InputAnswer): void {
    if (!this.#asking) return
    this.#asking = false
    this.#pipe(childFds.input).write(`${JSON.stringify(answer)}\n`)
  }

  /** End the process, with the programs that cells have started. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#clear()
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    await Promise.all([this.#kill(), exited])
  }

  /** Kill the process. The programs that cells have started are looked for first: afterwards nothing tells whose they were. */
  async #kill(): Promise<void> {
    const programs = programsOf(this.#child.pid ?? 0)
    this.#child.kill('SIGKILL')
    await endPrograms(programs)
  }

  #start(): ChildProcess {
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
    // A pipe to a process that has just ended fails; its exit says all there is to say.
    for (const fd of Object.values(childFds)) pipeOf(child, fd).on('error', () => undefined)
    child.on('error', () => undefined)
    child.on('message', (event: ChildEvent) => this.#take(event))
    child.once('exit', (code, signal) => this.#replace(code, signal))
    return child
  }

  #take(event: ChildEvent): void {
    if (event.is === 'ready') return
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
        // A program may have shown much meanwhile that the cell does not know of yet.
        this.#show(event.cell, event.name, event.text)
        return
      }
    }
    if (event.is === 'comm target') this.#options.onEvent(event)
    else this.#options.onEvent(event.cell === 0 ? { ...event, cell: this.#lastCell } : event)
  }

  /** What did not go through the console: programs that a cell started, native code, Node's last words. */
  #takeRaw(name: StreamName, raw: string): void {
    if (this.#timers.length > 0 && name === 'stderr') return
    // Node says so of the inspector that interrupts cells.
    const text = raw.replace('Waiting for the debugger to disconnect...\n', '')
    if (text === '') return
    const cell = this.#lastCell
    this.#send({ do: 'charge', cell, length: this.#show(cell, name, text) })
  }

  /** Show text of a cell within its bound. Returns how much of it is shown. */
  #show(cell: number, name: StreamName, text: string): number {
    const { shown, notice } = this.#capOf(cell).admit(text)
    if (shown !== '') this.#options.onEvent({ is: 'stream', cell, name, text: shown })
    if (notice !== null) this.#options.onEvent({ is: 'stream', cell, name: 'stderr', text: notice })
    return shown.length
  }

  /** The bound of what a cell's programs show. The cell has the same bound in its own process, and each process counts what the other has shown. */
  #capOf(cell: number): OutputCap {
    if (this.#rawCap?.cell !== cell) {
      const file = `kernel-${this.#child.pid ?? 0}-cell-${cell}-programs`
      this.#rawCap = { cell, cap: createOutputCap(this.#options.logFolder, file) }
    }
    return this.#rawCap.cap
  }

  #replace(code: number | null, signal: string | null): void {
    const interrupted = this.#timers.length > 0
    const running = this.#running
    this.#clear()
    if (this.#stopping) return
    const how = signal === null ? `exit code ${String(code)}` : signal
    const lost = 'all variables are lost, run the cells that make them again'
    const name = interrupted ? 'KeyboardInterrupt' : 'ProcessExit'
    const message = interrupted
      ? `the cell did not react to the interrupt, so its process was ended; ${lost}`
      : `the process that runs cells has ended (${how}); ${lost}`
    if (running === null)
      this.#options.onEvent({
        is: 'stream',
        cell: this.#lastCell,
        name: 'stderr',
        text: `${message}\n`,
      })
    // Those that were looked for before it was killed are ended already.
    void endPrograms(leftPrograms())
    this.#child = this.#start()
    this.#options.onLost()
    running?.end({ failure: { name, message, text: '' }, reached: 0 })
  }

  #send(request: ChildRequest): void {
    // A failure to send is followed by the process's exit, which ends the run.
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

function pipeOf(child: ChildProcess, fd: number): Duplex {
  return child.stdio[fd] as Duplex
}
