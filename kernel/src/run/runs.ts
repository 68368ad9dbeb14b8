import { inspect } from 'node:util'
import {
  LabError,
  path,
  routes,
  Run as RunObject,
  Slice as SliceObject,
} from '@community-lab/contract'
import Type from 'typebox'
import { abortSignal, checkArgument, checkOptions, text, words } from '../argument.ts'
import type { Session } from '../session.ts'
import { call } from '../wait/call.ts'
import { TestbedRun } from './testbed-run.ts'

/** The runs of the slices of your groups. */
export class Runs {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  /**
   * Get a run by its name, in any kernel, whoever started it. `slice` is the name of its slice, where several slices have a run of this name.
   *
   * @throws {@link LabError} LAB_RUN_UNKNOWN, LAB_RUN_AMBIGUOUS.
   */
  async get(
    name: string,
    options: { readonly slice?: string; readonly signal?: AbortSignal } = {},
  ): Promise<TestbedRun> {
    checkArgument("the run's name", name, words)
    checkOptions('get', options, { slice: text, signal: abortSignal })
    return call({ lab: this.#session.signal, signal: options.signal }, async (signal) => {
      const found = await this.#find({ '/name': JSON.stringify(name) }, signal)
      const names = await Promise.all(found.map(({ slice }) => this.#sliceName(slice.id, signal)))
      const wanted = found.filter(
        (_, index) => options.slice === undefined || names[index] === options.slice,
      )
      const [run, other] = wanted
      if (run === undefined) {
        const latest = await this.#find({}, signal)
        const known = latest.map((each) => each.name)
        throw new LabError('LAB_RUN_UNKNOWN', { run: name, found: known })
      }
      if (other !== undefined) throw new LabError('LAB_RUN_AMBIGUOUS', { run: name, slices: names })
      return new TestbedRun(this.#session, run)
    })
  }

  /** Find the newest runs, at most twenty. */
  #find(filter: Readonly<Record<string, string>>, signal: AbortSignal): Promise<RunObject[]> {
    const query = { ...filter, per_page: '20', page: '1' }
    return this.#session.http.ask(Type.Array(RunObject), routes.runs, { query, signal })
  }

  async #sliceName(id: number, signal: AbortSignal): Promise<string> {
    const { name } = await this.#session.http.ask(SliceObject, path(routes.slice, { id }), {
      signal,
    })
    return name
  }

  [inspect.custom](): string {
    return 'Runs: await lab.runs.get(name) gets one'
  }
}
