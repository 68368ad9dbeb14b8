import {
  LabError,
  path,
  routes,
  Run as RunObject,
  runEndMeasurement,
  sliceScope,
} from '@community-lab/contract'
import type { Session } from '../session.ts'
import { anySignal } from '../wait/signal.ts'
import { followEndRows, followRun } from './follow-run.ts'
import type { Known } from './outcome.ts'
import { ownRowsOf, type OwnRows } from './own-rows.ts'
import { tablesOfPoints } from './point-tables.ts'
import { readRemovedUntil } from './removed-rows.ts'
import type { Selection } from './selection.ts'

/** What a kernel knows of a run. */
export class RunState {
  readonly id: string
  /** The scope of its measurements. */
  readonly scope: string
  readonly #session: Session
  /** Where the row that follows the last sample of a sliver landed, by sliver. */
  readonly endLanded = new Map<string, number>()
  #object: RunObject
  #isGone = false

  constructor(session: Session, object: RunObject) {
    this.#session = session
    this.#object = object
    this.id = object.id
    this.scope = sliceScope(object.slice.id)
  }

  /** The run as last read. */
  get object(): RunObject {
    return this.#object
  }

  /** The samples of the run, with the tables that it declares. Of those that a program wrote without a run, those of its slivers from its beginning to its end, as far as these are known. */
  selection(): Selection {
    const { id, scope, endLanded } = this
    const { points = [] } = this.#object
    const own = (): OwnRows => ownRowsOf(this.#object, endLanded)
    return { scope, run: id, tables: tablesOfPoints(points), own }
  }

  known(): Known {
    const parts = new Map(this.#object.parts.map((part) => [part.sliver.id, part]))
    return {
      run: this.#object,
      isGone: this.#isGone,
      hasLanded: (sliver) => parts.get(sliver)?.has_end_row !== true || this.endLanded.has(sliver),
    }
  }

  /** Read the run. @throws {@link LabError} LAB_RUN_GONE. */
  async refresh(signal: AbortSignal): Promise<void> {
    try {
      this.#object = await this.#session.http.ask(RunObject, this.#path(routes.run), { signal })
    } catch (error) {
      if (!LabError.is(error, 'LAB_NOT_FOUND')) throw error
      this.#isGone = true
      throw new LabError('LAB_RUN_GONE', { run: this.#object.name }, { cause: error })
    }
  }

  /** Ask to end it. One that is gone has ended. */
  async cancel(signal: AbortSignal): Promise<void> {
    try {
      const request = { method: 'POST', signal } as const
      this.#object = await this.#session.http.ask(RunObject, this.#path(routes.runCancel), request)
    } catch (error) {
      if (!LabError.is(error, 'LAB_NOT_FOUND')) throw error
      this.#isGone = true
    }
  }

  /** Wait until it has ended on all slivers and its samples are at the server, or until it was removed with its slice. */
  async waitUntilLanded(signal: AbortSignal): Promise<void> {
    const { scope, id, endLanded } = this
    const stop = new AbortController()
    const until = anySignal(signal, stop.signal)
    // The rows are read from the beginning, so that who is waited for is known at any time.
    const rows = followEndRows(this.#session, { scope, run: id, landed: endLanded, signal: until })
    try {
      await followRun(this.#session, id, {
        signal: until,
        take: (object) => {
          this.#object = object
          return object.ended_on !== null
        },
      })
      await this.#noteRemoved(until)
      await rows.have(this.#object)
    } catch (error) {
      if (!LabError.is(error, 'LAB_NOT_FOUND')) throw error
      this.#isGone = true
    } finally {
      stop.abort()
    }
  }

  /** Wait until all samples of those slivers on which it has ended are at the server. Rejects with the signal's reason. */
  async waitForEnded(signal: AbortSignal): Promise<void> {
    const { scope, id, endLanded } = this
    const left = this.#object.parts.some(
      (part) => part.has_end_row && !endLanded.has(part.sliver.id),
    )
    if (!left) return
    const stop = new AbortController()
    const until = anySignal(signal, stop.signal)
    const rows = followEndRows(this.#session, { scope, run: id, landed: endLanded, signal: until })
    try {
      await this.#noteRemoved(until)
      await rows.have(this.#object)
    } finally {
      stop.abort()
    }
  }

  /** Nothing is waited for that the server has removed. */
  async #noteRemoved(signal: AbortSignal): Promise<void> {
    const { scope, endLanded } = this
    const { ended_on: endedOn, parts } = this.#object
    const left = parts.filter((part) => part.has_end_row && !endLanded.has(part.sliver.id))
    if (left.length === 0 || endedOn === null) return
    const of = { scope, name: runEndMeasurement, endedOn, signal }
    const untilMs = await readRemovedUntil(this.#session, of)
    for (const { sliver, ended_on: on } of left)
      if (on !== null && Date.parse(on) <= untilMs) endLanded.set(sliver.id, Infinity)
  }

  #path(route: string): string {
    return path(route, { id: this.id })
  }
}
