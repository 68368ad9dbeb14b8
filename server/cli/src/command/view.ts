import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { followChanges, type Change, type News } from '../http/changes.ts'
import type { Client } from '../http/client.ts'
import { WatchEnded } from '../output/failure.ts'
import { printJson, type PrintOptions } from '../output/print.ts'
import { capture, Screen } from '../output/screen.ts'
import { applyChange, readObjects, type Kind, type Objects } from './lists.ts'

/** How a command that shows something prints it. */
export interface ViewOptions extends PrintOptions {
  /** Go on, and show each change. */
  readonly watch?: boolean
}

/** What a command shows: objects of some kinds. */
export interface View<K extends Kind> {
  /** The kinds that it needs. The first one is what it is about; the others add names. */
  readonly kinds: readonly [K, ...K[]]
  /** Read the objects; by default whole lists. */
  readonly read?: (client: Client) => Promise<Objects<K>>
  /** Find the one object that it is about; without it, it is about all of the kind. Throws when there is no such object any more. */
  readonly find?: (objects: Objects<K>) => { readonly id: number }
  /** Tell whether a change of another kind is of a part of that object. */
  readonly isPart?: (change: Change, id: string) => boolean
  readonly print: (context: Context, objects: Objects<K>) => void
}

/**
 * Show a view; with `watch`, until Ctrl-C: a terminal is drawn again, other output has a line for each change, and with `json` the list is followed by a
 * document for each change. When the list was read again, because the server has not kept what came since, it is printed again.
 */
export async function showView<K extends Kind>(
  context: Context,
  options: ViewOptions,
  view: View<K>,
): Promise<void> {
  const client = connectServer(context)
  const read = () => view.read?.(client) ?? readObjects(client, view.kinds)
  if (options.watch !== true) {
    view.print(context, await read())
    return
  }
  const { signal } = context
  const watcher =
    options.json !== true && context.out.isTTY === true
      ? watchOnScreen(context, view)
      : watchInLines(context, view, options)
  try {
    for await (const news of inBatches(followChanges(client, { read, signal }))) watcher.take(news)
  } catch (error) {
    // The last state of the terminal stays, so it is written before the error.
    watcher.end()
    throw signal.aborted ? new WatchEnded() : error
  }
}

interface Watcher<K extends Kind> {
  take(news: readonly News<Objects<K>>[]): void
  end(): void
}

function watchOnScreen<K extends Kind>(context: Context, view: View<K>): Watcher<K> {
  const screen = new Screen(context.out)
  let objects: Objects<K> | null = null
  let lost: string | null = null
  let changed = new Date()
  return {
    take(news) {
      for (const one of news) {
        lost = one.is === 'lost' ? (lost ?? describeLoss(one.reason)) : null
        if (one.is === 'state') objects = one.state
        if (one.is === 'change' && objects !== null) {
          if (isAbout(view, one.change, objects)) changed = new Date(one.change.time)
          objects = applyChange(objects, one.change)
        }
      }
      const now = objects
      if (now === null) return
      const text = capture(context, (inner) => view.print(inner, now))
      screen.draw(lost ?? `live; last change ${clock(changed)}; Ctrl-C ends`, text)
    },
    end: () => screen.close(),
  }
}

function watchInLines<K extends Kind>(
  context: Context,
  view: View<K>,
  { json }: PrintOptions,
): Watcher<K> {
  let objects: Objects<K> | null = null
  let isLost = false
  const note = (text: string): void => {
    if (json !== true) context.err.write(`note: ${text}\n`)
  }
  const take = (one: News<Objects<K>>): void => {
    if (one.is === 'lost') {
      if (!isLost) note(describeLoss(one.reason))
      isLost = true
      return
    }
    if (isLost) note('the server is back')
    isLost = false
    if (one.is === 'state') {
      objects = one.state
      view.print(context, objects)
    } else if (one.is === 'change' && objects !== null) {
      const { change } = one
      const isShown = isAbout(view, change, objects)
      objects = applyChange(objects, change)
      if (!isShown) return
      if (json === true) printJson(context, change)
      else context.out.write(`${describeChange(change)}\n`)
      // It ends when its object is gone.
      view.find?.(objects)
    }
  }
  return { take: (news) => news.forEach(take), end: () => undefined }
}

function isAbout<K extends Kind>(view: View<K>, change: Change, objects: Objects<K>): boolean {
  const { kinds, find, isPart } = view
  if (find === undefined) return change.kind === kinds[0]
  const id = String(find(objects).id)
  return change.kind === kinds[0] ? change.object_id === id : isPart?.(change, id) === true
}

/** `2026-05-04T12:00:00.000Z node n1 updated: production` */
function describeChange({ time, kind, action, object_id: id, object }: Change): string {
  const { name = id, state = null } = (object ?? {}) as { name?: unknown; state?: unknown }
  const is = typeof state === 'string' ? `: ${state}` : ''
  return `${time} ${kind} ${String(name)} ${action}${is}`.replaceAll(/\p{Cc}/gu, '?')
}

function describeLoss(reason: string): string {
  return `the server is away since ${clock(new Date())}, and is tried again: ${reason}`
}

function clock(time: Date): string {
  return time.toTimeString().slice(0, 8)
}

/** The most news of one batch. */
const maxBatch = 1_000

/** Give news in batches of all that is there, so that many changes at once are drawn once. */
async function* inBatches<T>(
  source: AsyncGenerator<T, never, undefined>,
): AsyncGenerator<readonly T[], never, undefined> {
  const ask = (): Promise<T> => {
    const next = source.next().then(({ value }) => value)
    // It is awaited below, perhaps only after what came before was drawn.
    next.catch(() => undefined)
    return next
  }
  let next = ask()
  for (;;) {
    const batch = [await next]
    next = ask()
    while (batch.length < maxBatch) {
      const isThere = await Promise.race([
        next.then(
          () => true,
          () => false,
        ),
        nextTurn(false),
      ])
      if (!isThere) break
      batch.push(await next)
      next = ask()
    }
    yield batch
  }
}
