import { OpenComms } from './open-comms.ts'
import type { Compiler } from './compile/compiler.ts'
import { Execution } from './execution.ts'
import { ExecutionQueue } from './execution-queue.ts'
import { createHistory } from './history.ts'
import { answerQuestion } from './questions.ts'
import { Runner, type CellEvent } from './runner.ts'
import { createBroadcast, createReply, type Message, type MessageDraft } from './wire/message.ts'
import type { RequestChannel, Sockets } from './wire/sockets.ts'

/** How long the kernel waits before it loads libraries in advance, in milliseconds. The first cell may need the processor. */
const idleMs = 500

/** Options of {@link Kernel}. */
export interface KernelOptions {
  /** The notebook's folder: the current folder of cells, from which their imports are resolved. */
  readonly folder: string
  /** The folder for output that is too long to show. */
  readonly logFolder: string
  /** Compiles the cells. It is closed with the kernel. */
  readonly compiler: Compiler
  /** Return the sockets. They are read at each use, because messages may arrive before all sockets are bound. */
  sockets(): Sockets
  /** Called when the kernel was told to shut down and has answered. */
  onShutdown(): void
}

/** The Jupyter kernel. It receives messages from its sockets and answers them. Cells run in another process. */
export class Kernel {
  readonly #options: KernelOptions
  readonly #history = createHistory()
  readonly #runner: Runner
  readonly #execution: Execution
  readonly #queue: ExecutionQueue
  /** Requests from the control channel, which are answered there. */
  readonly #fromControl = new WeakSet<Message>()
  readonly #compiler: Compiler
  readonly #comms = new OpenComms()

  constructor(options: KernelOptions) {
    this.#options = options
    this.#compiler = options.compiler
    this.#runner = new Runner({
      folder: options.folder,
      logFolder: options.logFolder,
      onEvent: (event) => this.#relay(event),
      onLost: () => {
        this.#compiler.reset()
        for (const draft of this.#comms.reset()) this.#publish(null, draft)
      },
    })
    this.#execution = new Execution({
      runner: this.#runner,
      history: this.#history,
      compiler: this.#compiler,
      publish: (request, draft) => this.#publish(request, draft),
      reply: (request, draft) => this.#replyToCell(request, draft),
    })
    this.#queue = new ExecutionQueue({
      execute: (request) => {
        this.#publishState(request, 'busy')
        return this.#execution.execute(request)
      },
      end: (request) => this.#publishState(request, 'idle'),
      abort: (request) => {
        this.#publishState(request, 'busy')
        this.#replyToCell(request, { type: 'execute_reply', content: { status: 'aborted' } })
        this.#publishState(request, 'idle')
      },
    })
  }

  /** Publish the kernel's status, and load in advance what cells import. */
  start(): void {
    const content = { execution_state: 'starting' }
    this.#options.sockets().send('iopub', createBroadcast(null, { type: 'status', content }))
    // Wait for the compiler first: at the same time, each would take twice as long.
    void this.#compiler.ready.then(() => this.#warmUpLater())
  }

  /** Load in the process what most notebooks import, when no cell is running. */
  #warmUpLater(): void {
    setTimeout(() => {
      if (this.#queue.running === null) this.#runner.warm()
      else this.#warmUpLater()
    }, idleMs).unref()
  }

  /** Handle a message of a socket. */
  take(channel: RequestChannel, message: Message): void {
    const { msg_type: type } = message.header
    if (channel === 'stdin') {
      const { value } = message.content
      if (type === 'input_reply') this.#runner.answer({ value: String(value) })
    } else if (type === 'execute_request') {
      if (channel === 'control') this.#fromControl.add(message)
      this.#queue.add(message)
    } else void this.#during(message, () => this.#answer(channel, message))
  }

  /** Interrupt the cell that is being compiled or run. When it ends, the waiting requests are aborted. */
  interrupt(): void {
    this.#compiler.interrupt()
    this.#runner.interrupt()
  }

  /** End the process that runs cells and the thread that compiles them. */
  async stop(): Promise<void> {
    await Promise.all([this.#runner.stop(), this.#compiler.close()])
  }

  async #answer(channel: 'shell' | 'control', message: Message): Promise<void> {
    const { content } = message
    switch (message.header.msg_type) {
      case 'interrupt_request':
        this.interrupt()
        this.#reply(channel, message, { type: 'interrupt_reply', content: { status: 'ok' } })
        return
      case 'shutdown_request': {
        const answer = { status: 'ok', restart: content['restart'] === true }
        this.#reply(channel, message, { type: 'shutdown_reply', content: answer })
        this.#publish(message, { type: 'shutdown_reply', content: answer })
        // After the "idle" of this message.
        setImmediate(() => this.#options.onShutdown())
        return
      }
      case 'comm_open':
      case 'comm_msg':
      case 'comm_close': {
        const { pass, answer } = this.#comms.receive(message)
        if (pass !== undefined) this.#runner.sendComm(pass)
        if (answer !== undefined) this.#publish(message, answer)
        return
      }
      default: {
        const draft = await answerQuestion(message.header.msg_type, content, {
          compiler: this.#compiler,
          history: this.#history,
          comms: this.#comms,
        })
        if (draft !== null) this.#reply(channel, message, draft)
      }
    }
  }

  #relay(event: CellEvent): void {
    if (event.is === 'comm target') {
      this.#comms.register(event.name)
      return
    }
    const request = this.#execution.requestOf(event.cell)
    switch (event.is) {
      case 'stream': {
        const { name, text } = event
        this.#publish(request, { type: 'stream', content: { name, text } })
        return
      }
      case 'display': {
        const { data, metadata, displayId } = event
        const type = event.update ? 'update_display_data' : 'display_data'
        const transient = displayId === null ? {} : { display_id: displayId }
        this.#publish(request, { type, content: { data, metadata, transient } })
        return
      }
      case 'comm':
        this.#publish(request, this.#comms.send(event.message))
        return
      case 'clear':
        this.#publish(request, { type: 'clear_output', content: { wait: false } })
        return
      case 'result': {
        const isValue = this.#execution.takeValue(event.cell, event.data)
        if (isValue || request === null || request.content['silent'] === true) return
        const { count } = this.#execution
        const text = event.data['text/plain']
        if (typeof text === 'string' && request.content['store_history'] !== false)
          this.#history.addOutput(count, text)
        const content = { execution_count: count, data: event.data, metadata: {} }
        this.#publish(request, { type: 'execute_result', content })
        return
      }
      case 'input':
        this.#ask(request, event.prompt)
    }
  }

  #ask(request: Message | null, prompt: string): void {
    if (request === null || request.content['allow_stdin'] !== true) {
      this.#runner.answer({ refused: 'nobody can be asked: the notebook has no input here' })
      return
    }
    const content = { prompt, password: false }
    this.#reply('stdin', request, { type: 'input_request', content })
  }

  async #during(request: Message, act: () => Promise<void>): Promise<void> {
    this.#publishState(request, 'busy')
    try {
      await act()
    } catch (error) {
      // The compiler has ended because of a defect. This request gets no reply, but later ones may.
      console.error(error)
    } finally {
      this.#publishState(request, 'idle')
    }
    // A page shows the latest status. While a cell runs, that must be "busy".
    const { running } = this.#queue
    if (running !== null) this.#publishState(running, 'busy')
  }

  #publishState(request: Message, state: 'busy' | 'idle'): void {
    this.#publish(request, { type: 'status', content: { execution_state: state } })
  }

  #publish(request: Message | null, draft: MessageDraft): void {
    this.#options.sockets().send('iopub', createBroadcast(request, draft))
  }

  #reply(channel: RequestChannel, request: Message, draft: MessageDraft): void {
    this.#options.sockets().send(channel, createReply(request, draft))
  }

  #replyToCell(request: Message, draft: MessageDraft): void {
    this.#reply(this.#fromControl.has(request) ? 'control' : 'shell', request, draft)
  }
}
