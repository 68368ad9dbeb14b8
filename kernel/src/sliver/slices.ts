import { inspect } from 'node:util'
import {
  LabError,
  routes,
  Slice as SliceSchema,
  SliceWithSlivers,
  Sliver as SliverSchema,
  WhoAmI,
  type ResourceRequest,
  type SliceSpec,
} from '@community-lab/contract'
import Type from 'typebox'
import {
  abortSignal,
  checkArgument,
  checkOptions,
  checkSignal,
  fileMap,
  localFile,
  named,
  oneOf,
  someOf,
  text,
  wholeNumber,
  words,
  type Kind,
} from '../argument.ts'
import { currentDisplay } from '../display/current.ts'
import { asTable, type Column, type Shown } from '../display/table.ts'
import { formatTime } from '../display/time.ts'
import type { Session } from '../session.ts'
import { call } from '../wait/call.ts'
import { orAborted } from '../wait/signal.ts'
import { packData, type PackedData, type SliceData } from '@community-lab/contract/files'
import { warnOfEnd } from './ending.ts'
import { nameOfNode } from './node.ts'
import { readJournal, type JournalEntry, type JournalOptions } from './past.ts'
import { readSlivers } from './read-slivers.ts'
import { Slice, type CallSignal } from './slice.ts'
import { uploadData } from './upload-data.ts'

/** The configuration of a slice. */
export interface SliceOptions {
  /**
   * The name of the template: the file system of new slivers. `tiny@2` names a version. Without one, a slice that has the template keeps its version, and a new
   * slice gets the newest public one.
   */
  readonly template: string
  /** The nodes, or their names. */
  readonly nodes: readonly (string | { readonly name: string })[]
  readonly description?: string
  /**
   * Files that each sliver begins with, merged over its template: a folder of this machine (its content goes to `/` of the sliver), an archive (`.tar`, `.tar.gz`, `.tar.zst`),
   * the bytes of one, or texts and bytes by their path in the sliver. They belong to root, unless an archive says otherwise. They are uploaded when the server does not have
   * them: the same files are not sent again. Changed data recreates the slivers. null: no data; omitted: as before.
   */
  readonly data?: SliceData | null
  /** The name of the group that a new slice belongs to. It may be omitted by who creates slices for one group only. */
  readonly group?: string
  /** The memory of each sliver, in MiB; default 64. */
  readonly memoryMiB?: number
  /** The disk space of each sliver, in MiB; default 128. */
  readonly diskMiB?: number
  /** The processor share of each sliver, in percent of one core; default 100. */
  readonly cpuPct?: number
  /** The most processes of each sliver; default 128. */
  readonly processes?: number
  /**
   * What the change may lose. `nothing`, the default: a change that would remove a sliver, or recreate it because its template, resources or data change, is refused;
   * a sliver stays on a node that is not listed and is temporarily not in production. `slivers`: slivers may be removed and recreated as the options say.
   */
  readonly mayLose?: 'nothing' | 'slivers'
  readonly signal?: AbortSignal
}

/** The slices of the testbed. */
export class Slices {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  /**
   * Make sure that a slice of this name exists as described: it is created, changed where it differs, or left as it is. The server checks the whole change
   * first, and accepts or refuses it as a whole. No data in a sliver is lost unless `mayLose` allows it.
   *
   * @example
   * const slice = await lab.slices.ensure('crawl', { template: 'tiny', nodes, data: { 'root/crawl.sh': script, 'root/seeds.txt': seeds } })
   *
   * @throws {@link LabError} LAB_SLICE_WOULD_LOSE, LAB_SLICE_NO_CAPACITY, LAB_SLICE_UNKNOWN_NODE, LAB_SLICE_UNKNOWN_TEMPLATE, LAB_TEMPLATE_NO_VERSION,
   * LAB_TEMPLATE_NOT_PUBLIC, LAB_TEMPLATE_UNUSABLE, LAB_SLICE_NODE_NOT_IN_PRODUCTION,
   * LAB_SLICE_ARCH_MISMATCH, LAB_GROUP_QUOTA, LAB_DATA_QUOTA, LAB_ARGUMENT_INVALID, LAB_GROUP_UNCLEAR, LAB_GROUP_NOT_ALLOWED, LAB_AUTH_FORBIDDEN, LAB_REQUEST_INVALID.
   */
  async ensure(name: string, options: SliceOptions): Promise<Slice> {
    checkEnsure(name, options)
    const { template, nodes, description, group, data, mayLose } = options
    const resources = listResources(options)
    const body = {
      name,
      template,
      nodes: nodes.map(nameOfNode),
      ...(description === undefined ? {} : { description }),
      ...(group === undefined ? {} : { group }),
      ...(resources.length === 0 ? {} : { resources }),
      ...(mayLose === undefined ? {} : { may_lose: mayLose }),
    }
    return this.#call(options, async (signal) => {
      // A sliver starts with the keys that the server has at that time.
      await orAborted(this.#session.registerKey(), signal)
      const packed = data == null ? null : await orAborted(packData(data), signal)
      const named = data === undefined ? {} : { data_sha256: packed?.sha256 ?? null }
      const { slice, slivers, warnings } = await this.#put({ ...body, ...named }, packed, signal)
      for (const warning of warnings ?? [])
        currentDisplay().display({ 'text/plain': `slice ${slice.name}: ${warning}` })
      warnOfEnd(this.#session, slice)
      return new Slice(this.#session, slice, slivers)
    })
  }

  /** Send the description of a slice. Data that the server does not have is uploaded, once it has nothing else against the slice. */
  async #put(
    body: SliceSpec,
    data: PackedData | null,
    signal: AbortSignal,
  ): Promise<SliceWithSlivers> {
    const { http } = this.#session
    const asked = { method: 'PUT', body, signal } as const
    try {
      return await http.ask(SliceWithSlivers, routes.sliceEnsure, asked)
    } catch (error) {
      if (data === null || !LabError.is(error, 'LAB_DATA_UNKNOWN')) throw error
      const { uri, uploads_uri: uploadsUri } = error.details
      await uploadData(http, data, { uri, uploadsUri, slice: body.name, signal })
      return http.ask(SliceWithSlivers, routes.sliceEnsure, asked)
    }
  }

  /** Get the slice of a name. @throws {@link LabError} LAB_NOT_FOUND. */
  async get(name: string, options: CallSignal = {}): Promise<Slice> {
    checkArgument(nameArgument, name, words)
    checkSignal('get', options)
    return this.#call(options, async (signal) => {
      const query = { '/name': JSON.stringify(name) }
      const { http } = this.#session
      const [slice] = await http.ask(Type.Array(SliceSchema), routes.slices, { query, signal })
      if (slice === undefined) throw new LabError('LAB_NOT_FOUND', { kind: 'slice', id: name })
      warnOfEnd(this.#session, slice)
      return new Slice(this.#session, slice, await readSlivers(this.#session, slice.id, signal))
    })
  }

  /** List all slices of the testbed, of all groups. */
  async list(options: CallSignal = {}): Promise<Shown<Slice>> {
    checkSignal('list', options)
    return this.#call(options, async (signal) => {
      const { http } = this.#session
      const [slices, slivers] = await Promise.all([
        http.ask(Type.Array(SliceSchema), routes.slices, { signal }),
        http.ask(Type.Array(SliverSchema), routes.slivers, { signal }),
      ])
      return this.#show(slices, slivers)
    })
  }

  /**
   * List the slices of your groups.
   *
   * @example
   * for (const slice of await lab.slices.mine()) console.log(slice.name, slice.expiresAt)
   */
  async mine(options: CallSignal = {}): Promise<Shown<Slice>> {
    checkSignal('mine', options)
    return this.#call(options, async (signal) => {
      const { http } = this.#session
      const { user } = await http.ask(WhoAmI, routes.whoami, { signal })
      const groupIds = user?.group_roles.map(({ group }) => group.id) ?? []
      const ofGroups = (ids: readonly number[]) =>
        http.ask(Type.Array(SliceSchema), routes.slices, { query: anyOf('/group/id', ids), signal })
      const slices = await inParts(groupIds, ofGroups)
      const slivers = await inParts(
        slices.map(({ id }) => id),
        (ids) =>
          http.ask(Type.Array(SliverSchema), routes.slivers, {
            query: anyOf('/slice/id', ids),
            signal,
          }),
      )
      return this.#show(slices, slivers)
    })
  }

  /**
   * Read the journal: which slivers ran where, the newest first. Everybody may read it. Slices and nodes that are gone have entries, too.
   *
   * @example
   * await lab.slices.journal({ node: 'n1', from: new Date('2026-05-01') })
   */
  journal(options: JournalOptions = {}): Promise<Shown<JournalEntry>> {
    return readJournal(this.#session, options)
  }

  #show(slices: readonly SliceSchema[], slivers: readonly SliverSchema[]): Shown<Slice> {
    const bySlice = Map.groupBy(slivers, (sliver) => sliver.slice.id)
    const handles = slices.map(
      (slice) => new Slice(this.#session, slice, bySlice.get(slice.id) ?? []),
    )
    return asTable(handles, () => columns)
  }

  #call<T>({ signal }: CallSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return call({ lab: this.#session.signal, signal }, work)
  }

  [inspect.custom](): string {
    return 'Slices of the testbed: await slices.list() lists them, slices.get(name) finds one, slices.ensure(name, …) makes one'
  }
}

/** The most ids in one request, whose head has at most 16 KiB. */
const idsPerRequest = 500

/** Read by ids, in as many requests as needed, one after the other. */
async function inParts<T>(
  ids: readonly number[],
  read: (some: readonly number[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const found: T[] = []
  for (let from = 0; from < ids.length; from += idsPerRequest)
    found.push(...(await read(ids.slice(from, from + idsPerRequest))))
  return found
}

/** Write the filter of a list by any of some ids. */
function anyOf(member: string, ids: readonly number[]): Record<string, string> {
  return { [member]: JSON.stringify(ids) }
}

const columns: readonly Column<Slice>[] = [
  { name: 'slice', value: ({ name }) => name },
  { name: 'slivers', value: ({ slivers }) => slivers.length },
  {
    name: 'started',
    value: ({ slivers }) => slivers.filter(({ state }) => state === 'started').length,
  },
  { name: 'ends', value: ({ expiresAt }) => formatTime(expiresAt) },
]

const dataOrNone: Kind = {
  expected: `${localFile.expected}, a Uint8Array, ${fileMap.expected}, or null`,
  is: (value) =>
    value === null ||
    [localFile, fileMap].some((one) => one.is(value)) ||
    value instanceof Uint8Array,
}
const nameArgument = 'the name of the slice'
const amount = wholeNumber(1, Number.MAX_SAFE_INTEGER)

function checkEnsure(name: unknown, options: SliceOptions): void {
  checkArgument(nameArgument, name, words)
  checkOptions('ensure', options, {
    template: words,
    nodes: someOf(named),
    description: text,
    data: dataOrNone,
    group: words,
    memoryMiB: amount,
    diskMiB: amount,
    cpuPct: amount,
    processes: amount,
    mayLose: oneOf('nothing', 'slivers'),
    signal: abortSignal,
  })
  const { template, nodes } = options
  checkArgument('template', template, words)
  checkArgument('nodes', nodes, someOf(named))
  const names = nodes.map(nameOfNode)
  const twice = names.find((each, index) => names.indexOf(each) !== index)
  if (twice === undefined) return
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument: 'nodes',
    found: `a list with ${twice} twice`,
    expected: 'each node once: a node has at most one sliver of a slice',
  })
}

function listResources(options: SliceOptions): ResourceRequest[] {
  const { memoryMiB, diskMiB, cpuPct, processes } = options
  const asked = { memory: memoryMiB, disk: diskMiB, cpu: cpuPct, processes } as const
  const names = ['memory', 'disk', 'cpu', 'processes'] as const
  return names.flatMap((name) => {
    const req = asked[name]
    return req === undefined ? [] : [{ name, req }]
  })
}
