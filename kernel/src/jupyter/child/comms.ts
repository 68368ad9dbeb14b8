import { randomUUID } from 'node:crypto'
import { jsonOf } from '../json.ts'
import { currentCell } from './cell.ts'
import type { ChildEvent, CommMessage } from './protocol.ts'

/** A Jupyter comm: a channel between a cell and the page. */
export interface Comm {
  readonly id: string
  /** The target name, under which the other side has registered a handler. */
  readonly target: string
  /** Send JSON data, and optionally binary buffers, to the page. */
  send(data: unknown, buffers?: readonly Uint8Array[]): void
  /** Close the comm. */
  close(data?: unknown): void
  /** Call a listener with the JSON data and the buffers of each message from the page. */
  onMessage(listener: (data: unknown, buffers: readonly Uint8Array[]) => void): void
  /** Call a listener when the page has closed the comm. */
  onClose(listener: (data: unknown) => void): void
}

type Open = (comm: Comm, data: unknown, buffers: readonly Uint8Array[]) => void
type Listener = (data: unknown, buffers: readonly Uint8Array[]) => void

interface OpenComm {
  readonly comm: Comm
  readonly listeners: {
    readonly msg: Listener[]
    readonly close: Listener[]
  }
}

/** The comms of a notebook. */
export class Comms {
  readonly #emit: (event: ChildEvent) => void
  readonly #targets = new Map<string, Open>()
  readonly #open = new Map<string, OpenComm>()

  constructor(emit: (event: ChildEvent) => void) {
    this.#emit = emit
  }

  /** The module that cells import as `community-lab:jupyter`. */
  get module(): object {
    return {
      registerTarget: (name: string, open: Open): void => {
        this.#targets.set(name, open)
        this.#emit({ is: 'comm target', name })
      },
      openComm: (target: string, data: unknown = {}, buffers: readonly Uint8Array[] = []): Comm => {
        const id = randomUUID()
        // When the data cannot be sent, this throws, and no comm is opened.
        this.#send({ type: 'open', id, target, data }, buffers)
        return this.#create(id, target)
      },
    }
  }

  /** Handle a comm message from the page. */
  take({ type, id, target, data, buffers: texts }: CommMessage): void {
    const buffers = texts.map((text) => new Uint8Array(Buffer.from(text, 'base64')))
    if (type === 'open') return this.#targets.get(target)?.(this.#create(id, target), data, buffers)
    const open = this.#open.get(id)
    if (type === 'close') this.#open.delete(id)
    for (const listener of open?.listeners[type] ?? []) listener(data, buffers)
  }

  #create(id: string, target: string): Comm {
    const listeners: OpenComm['listeners'] = { msg: [], close: [] }
    const comm: Comm = {
      id,
      target,
      send: (data, buffers = []) => this.#send({ type: 'msg', id, target, data }, buffers),
      close: (data = {}) => {
        if (!this.#open.has(id)) return
        // When the data cannot be sent, this throws, and the comm stays open.
        this.#send({ type: 'close', id, target, data }, [])
        this.#open.delete(id)
      },
      onMessage: (listener) => void listeners.msg.push(listener),
      onClose: (listener) => void listeners.close.push(listener),
    }
    this.#open.set(id, { comm, listeners })
    return comm
  }

  #send(message: Omit<CommMessage, 'buffers'>, buffers: readonly Uint8Array[]): void {
    const texts = buffers.map((bytes) => Buffer.from(bytes).toString('base64'))
    const data = jsonOf(message.data)
    const cell = currentCell()?.number ?? 0
    this.#emit({ is: 'comm', cell, message: { ...message, data, buffers: texts } })
  }
}
