import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import Type from 'typebox'
import type { Format } from '../../disk/domain/format.ts'
import { peekDocument, writeDocument } from '../../disk/document.ts'
import { isAbsent } from '../../errno.ts'
import {
  findOverlap,
  formerPlan,
  parseAccounts,
  parseSubordinateIds,
  planIds,
  rangeOf,
  type IdPlan,
  type TakenIds,
} from '../domain/ids.ts'

const idPlanSchema = Type.Object({
  base: Type.Integer({ minimum: 1_000 }),
  count: Type.Integer({ minimum: 1, maximum: 65_536 }),
})
/** The format of `ids.json`. The files of slivers have these owners, so the ids must not change while there are slivers. */
const idPlanFormat: Format<typeof idPlanSchema> = {
  what: 'which user ids the slivers of this node have',
  version: 1,
  readableFrom: 1,
  schema: idPlanSchema,
  migrations: [(document) => document],
}

/** The ids of this node's slivers, and a conflict with other owners of ids. */
export interface SliverIds {
  readonly plan: IdPlan
  /** A sentence for the node's owner; null when nobody else has the ids. */
  readonly conflict: string | null
}

/** Options of {@link findIds}. */
export interface IdsOptions {
  readonly dataDir: string
  /** Whether there are slivers already. Then their files have owners. */
  readonly hasSlivers: boolean
  /** This node's number among the nodes of its host; null: it is the only one. */
  readonly nrOnHost: number | null
  /** The folder of the host's files; default `/`. */
  readonly rootDir?: string
}

/**
 * Find the ids of this node's slivers. While there are slivers, these are the stored ids. Otherwise they are ids that no account, no line of /etc/subuid and /etc/subgid and no other node on
 * this host has. Returns a sentence if there are none.
 */
export async function findIds(options: IdsOptions): Promise<SliverIds | string> {
  const taken = await readTakenIds(options.rootDir ?? '/')
  const file = join(options.dataDir, 'ids.json')
  // A file that cannot be read is left in place. Otherwise ids would be chosen again the next time.
  const known = await peekDocument(file, idPlanFormat)
  // With other ids than the owners of its files, a sliver could not open them.
  if (known.kind === 'unreadable' && options.hasSlivers)
    return `which user ids its slivers have cannot be read (${known.keptAt}: ${known.reason})`
  const written = known.kind === 'read' ? known.value : null
  const isKept = written !== null && options.hasSlivers
  const plan = isKept ? written : await choosePlan(taken, options)
  if (plan === null)
    return 'there are too few user ids that nobody has to give slivers some of their own: take back some of those from 1879048192 on in /etc/subuid and /etc/subgid, or run the agent in a user namespace of 65,536 ids or more'
  if (plan.base !== written?.base || plan.count !== written.count)
    await writeDocument(file, idPlanFormat, plan)
  const other = findOverlap(plan, taken)
  const { first, last } = rangeOf(plan)
  return {
    plan,
    conflict:
      other === null
        ? null
        : `its slivers have the user ids ${first} to ${last}, and some of them are also those of ${other.whose}: give that account others`,
  }
}

/** Choose ids that are available both as user ids and as group ids. */
async function choosePlan(
  taken: readonly TakenIds[],
  { hasSlivers, nrOnHost }: IdsOptions,
): Promise<IdPlan | null> {
  const choose = (map: string): IdPlan | null =>
    hasSlivers ? formerPlan(map) : planIds(map, taken, nrOnHost)
  const [users, groups] = await Promise.all(
    ['uid_map', 'gid_map'].map(async (name) =>
      choose(await readFile(join('/proc/self', name), 'utf8')),
    ),
  )
  if (!users || !groups) return null
  return users.count <= groups.count ? users : groups
}

async function readTakenIds(rootDir: string): Promise<readonly TakenIds[]> {
  const read = async (
    path: string,
    parse: (text: string, file: string) => readonly TakenIds[],
  ): Promise<readonly TakenIds[]> => {
    try {
      return parse(await readFile(join(rootDir, path), 'utf8'), path)
    } catch (error) {
      // Not every host has subordinate ids.
      if (isAbsent(error)) return []
      throw error
    }
  }
  const found = await Promise.all([
    read('/etc/subuid', parseSubordinateIds),
    read('/etc/subgid', parseSubordinateIds),
    read('/etc/passwd', parseAccounts),
    read('/etc/group', parseAccounts),
  ])
  return found.flat()
}
