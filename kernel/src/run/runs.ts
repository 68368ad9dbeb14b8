import { inspect } from 'node:util'
import {
  LabError,
  path,
  routes,
  Run as RunObject,
  Slice as SliceObject,
} from '@community-lab/contract'
import Type from 'typebox'
import { abortSignal, checkArgument, checkOptions, words } from '../argument.ts'
import type { Session } from '../session.ts'
import { call } from '../wait/call.ts'
import { Run } from './run.ts'

/** The runs of the testbed on slices of your groups. */
export class Runs {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  /**
   * Get a run by its name, in any kernel, whoever started it. `slice` is the name of its slice, where several slices have a run of this name.
   *
   * @throws {@link LabError} LAB_RUN_UNKNOWN, LAB_RUN_AMBIGUOUS; LAB_NOT_FOUND when there is no such slice.
   */
  async get(
    name: string,
    options: { readonly slice?: string; readonly signal?: AbortSignal } = {},
  ): Promise<Run> {
    checkArgument("the run's name", name, words)
    checkOptions('get', options, { slice: words, signal: abortSignal })
    return call({ lab: this.#session.signal, signal: options.signal }, async (signal) => {
      const { slice = null } = options
      const among =
        slice === null ? {} : { '/slice/id': String(await this.#sliceId(slice, signal)) }
      const found = await this.#find({ ...among, '/name': JSON.stringify(name) }, signal)
      const [run, other] = found
      if (run === undefined) {
        const latest = await this.#find(among, signal)
        const known = latest.map((each) => each.name)
        throw new LabError('LAB_RUN_UNKNOWN', { run: name, slice, found: known })
      }
      if (other !== undefined) {
        const slices = found.map(({ slice: { id } }) => this.#sliceName(id, signal))
        throw new LabError('LAB_RUN_AMBIGUOUS', { run: name, slices: await Promise.all(slices) })
      }
      return new Run(this.#session, run)
    })
  }

  /** Find the newest runs, at most twenty. */
  #find(filter: Readonly<Record<string, string>>, signal: AbortSignal): Promise<RunObject[]> {
    const query = { ...filter, per_page: '20', page: '1' }
    return this.#session.http.ask(Type.Array(RunObject), routes.runs, { query, signal })
  }

  async #sliceId(name: string, signal: AbortSignal): Promise<number> {
    const query = { '/name': JSON.stringify(name) }
    const { http } = this.#session
    const [slice] = await http.ask(Type.Array(SliceObject), routes.slices, { query, signal })
    if (slice === undefined) throw new LabError('LAB_NOT_FOUND', { kind: 'slice', id: name })
    return slice.id
  }

  async #sliceName(id: number, signal: AbortSignal): Promise<string> {
    const { name } = await this.#session.http.ask(SliceObject, path(routes.slice, { id }), {
      signal,
    })
    return name
  }

  [inspect.custom](): string {
    return 'Runs of the testbed: await lab.runs.get(name) gets one'
  }
}
