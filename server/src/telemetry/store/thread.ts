import { Worker } from 'node:worker_threads'
import { LabError, messageOf } from '@community-lab/contract'
import { storeFile } from './database.ts'
import type {
  AppendResult,
  CallMessage,
  StoreCalls,
  StoreMessage,
  StoreSettings,
} from './protocol.ts'

/** The thread of the store, as other parts of the server use it. */
export interface StoreThread {
  /** Ask the thread to do something. It gets the memory in `transfer` as it is, and this thread has it no longer. @throws {@link LabError} LAB_TELEMETRY_FAILED. */
  ask<C extends keyof StoreCalls>(
    call: C,
    argument: Parameters<StoreCalls[C]>[0],
    transfer?: readonly ArrayBuffer[],
  ): ReturnType<StoreCalls[C]>
  /** The reason why nothing can be stored at present; null when the store works. */
  readonly trouble: string | null
  /** Commit the waiting samples and end the thread. */
  close(): Promise<void>
}

/** The messages of the thread besides its answers. */
export interface StoreThreadEvents {
  /** Called when these measurements have new rows. */
  onLanded(measurements: ReadonlySet<string>): void
  /** Called with a sentence about something that an operator should know, and that does not keep the store from working. */
  onTrouble(sentence: string): void
}

interface Pending {
  readonly call: keyof StoreCalls
  resolve(result: unknown): void
  reject(error: LabError): void
}

const sentences: Readonly<Record<keyof StoreCalls, string>> = {
  begin: 'find where a spool is',
  append: 'commit samples',
  declare: 'declare measurements',
  list: 'list measurements',
  rows: 'read rows',
  count: 'count rows',
  latest: 'read the latest rows',
  parquet: 'write a Parquet file',
  cancel: 'give up a Parquet file',
  compact: 'compact',
  close: 'close',
}

/** Return why one of a group's requests failed; null when none did. */
function reasonIn(result: unknown): string | null {
  // The answers come from `worker.ts` and have the types of StoreCalls.
  const results = result as readonly AppendResult[]
  return results.find(({ reason }) => reason !== undefined)?.reason ?? null
}

/** The time between the unexpected end of the thread and the start of the next one, in milliseconds. */
const restartAfterMs = 1_000

/**
 * Start the thread of the store. A thread that ends unexpectedly is replaced. Calls that were under way fail, and can be repeated.
 *
 * @throws {@link LabError} LAB_TELEMETRY_UNUSABLE when the store cannot be opened.
 */
export async function startStoreThread(
  settings: StoreSettings,
  events: StoreThreadEvents,
): Promise<StoreThread> {
  const pending = new Map<number, Pending>()
  let isClosing = false
  let lastId = 0
  let trouble: string | null = null
  let restart: NodeJS.Timeout | undefined

  function settle(id: number): Pending | undefined {
    const call = pending.get(id)
    pending.delete(id)
    return call
  }
  function failure(call: keyof StoreCalls, reason: string): LabError {
    return new LabError('LAB_TELEMETRY_FAILED', { what: sentences[call], reason })
  }
  function receive(message: StoreMessage): void {
    switch (message.kind) {
      case 'open':
        trouble = null
        return
      case 'unusable':
        trouble = message.reason
        return
      case 'landed':
        events.onLanded(new Set(message.measurements))
        return
      case 'trouble':
        events.onTrouble(message.sentence)
        return
      case 'result': {
        const call = settle(message.id)
        if (call?.call === 'append') trouble = reasonIn(message.result)
        call?.resolve(message.result)
        return
      }
      case 'failure': {
        const call = settle(message.id)
        if (call?.call === 'append') trouble = message.reason
        call?.reject(failure(call.call, message.reason))
      }
    }
  }

  function start(): { readonly worker: Worker; readonly opened: Promise<void> } {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'bundle.js'
    const made = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
      name: 'telemetry',
      workerData: settings,
    })
    const opened = Promise.withResolvers<undefined>()
    let end = 'its thread has ended'
    made.on('message', (message: StoreMessage) => {
      receive(message)
      if (message.kind === 'open') opened.resolve(undefined)
      else if (message.kind === 'unusable') end = message.reason
    })
    made.once('error', (error) => (end = messageOf(error)))
    made.once('exit', () => {
      opened.reject(
        new LabError('LAB_TELEMETRY_UNUSABLE', { file: storeFile(settings.dir), reason: end }),
      )
      for (const [id, { call, reject }] of [...pending]) {
        pending.delete(id)
        reject(failure(call, end))
      }
      if (!isClosing) trouble = end
    })
    return { worker: made, opened: opened.promise }
  }

  /** Replace the thread when it ends. This begins after the store was opened for the first time. */
  function follow(made: Worker): void {
    made.once('exit', () => {
      if (isClosing) return
      restart = setTimeout(() => {
        const next = start()
        worker = next.worker
        // Callers get the error. The next thread tries again.
        next.opened.catch(() => undefined)
        follow(worker)
      }, restartAfterMs)
    })
  }

  const first = start()
  let { worker } = first
  await first.opened
  follow(worker)

  function ask<C extends keyof StoreCalls>(
    call: C,
    argument: Parameters<StoreCalls[C]>[0],
    transfer: readonly ArrayBuffer[] = [],
  ): ReturnType<StoreCalls[C]> {
    const result = new Promise((resolve, reject) => {
      if (worker.threadId === -1) {
        reject(failure(call, trouble ?? 'its thread has ended'))
        return
      }
      const message: CallMessage = { id: ++lastId, call, argument }
      pending.set(message.id, { call, resolve, reject })
      worker.postMessage(message, transfer)
    })
    // The answers come from `worker.ts` and have the types of StoreCalls.
    return result as ReturnType<StoreCalls[C]>
  }

  return {
    ask,
    get trouble() {
      return trouble
    },
    async close() {
      isClosing = true
      clearTimeout(restart)
      if (worker.threadId === -1) return
      const exited = new Promise((resolve) => worker.once('exit', resolve))
      await ask('close', undefined).catch(() => {
        // Callers have already got the errors of samples that could not be committed.
      })
      await exited
    },
  }
}
