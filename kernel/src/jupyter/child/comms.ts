import { randomUUID } from 'node:crypto'
import { currentCell } from './cell.ts'
import type { ChildEvent, CommMessage } from './protocol.ts'

/** A conversation between a cell and the page. */
export interface Comm {
  readonly id: string
  /** What it is about: the name under which the other side takes it. */
  readonly target: string
  /** Send any JSON to the page. */
  send(data: unknown): void
  /** End the conversation. */
  close(data?: unknown): void
  /** Called with what the page sends. */
  onMessage(listener: (data: unknown) => void): void
  /** Called when the page has ended it. */
  onClose(listener: (data: unknown) => void): void
}

interface OpenComm {
  readonly comm: Comm
  readonly listeners: {
    readonly msg: ((data: unknown) => void)[]
    readonly close: ((data: unknown) => void)[]
  }
}

/** The conversations of a notebook with its page, by Jupyter's comm messages. */
export class Comms {
  readonly #emit: (event: ChildEvent) => void
  readonly #targets = new Map<string, (comm: Comm, data: unknown) => void>()
  readonly #open = new Map<string, OpenComm>()

  constructor(emit: (event: ChildEvent) => void) {
    this.#emit = emit
  }

  /** What cells import as `community-lab:jupyter`. */
  get module(): object {
    return {
      registerTarget: (name: string, open: (comm: Comm, data: unknown) => void): void => {
        this.#targets.set(name, open)
        this.#emit({ is: 'comm target', name })
      },
      openComm: (target: string, data: unknown = {}): Comm => {
        const comm = this.#create(randomUUID(), target)
        this.#send({ type: 'open', id: comm.id, target, data })
        return comm
      },
    }
  }

  /** Take a message of the page. */
  take({ type, id, target, data }: CommMessage): void {
    if (type === 'open') return this.#targets.get(target)?.(this.#create(id, target), data)
    const open = this.#open.get(id)
    if (type === 'close') this.#open.delete(id)
    for (const listener of open?.listeners[type] ?? []) listener(data)
  }

  #create(id: string, target: string): Comm {
    const listeners: OpenComm['listeners'] = { msg: [], close: [] }
    const comm: Comm = {
      id,
      target,
      send: (data) => this.#send({ type: 'msg', id, target, data }),
      close: (data = {}) => {
        if (this.#open.delete(id)) this.#send({ type: 'close', id, target, data })
      },
      onMessage: (listener) => void listeners.msg.push(listener),
      onClose: (listener) => void listeners.close.push(listener),
    }
    this.#open.set(id, { comm, listeners })
    return comm
  }

  #send(message: CommMessage): void {
    this.#emit({ is: 'comm', cell: currentCell()?.number ?? 0, message })
  }
}
