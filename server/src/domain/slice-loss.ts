import {
  dataMadeWith,
  type Node,
  type ResourceRequest,
  type SliceSpec,
  type Sliver,
  templateName,
  type Template,
  type TemplateVersion,
} from '@community-lab/contract'

/** The changes of a slice's slivers when a spec is applied. Ids are those of nodes. */
export interface SliverChanges {
  readonly added: readonly number[]
  readonly removed: readonly number[]
  /** The nodes whose slivers get another template, other resources or other data, so that they are made again. */
  readonly remade: readonly number[]
  /** The slivers whose content a researcher would lose, and why. */
  readonly losses: readonly { readonly node: string; readonly why: string }[]
}

/**
 * Find the nodes that keep their sliver although a spec does not list them. A list of nodes in production leaves out a node that is not in production today
 * or does not count as ready, but nobody chose to leave it out. With `may_lose: 'slivers'` the list is used as it is.
 */
export function keptNodes(
  spec: SliceSpec,
  present: readonly Sliver[],
  nodes: readonly Node[],
): string[] {
  if (spec.may_lose === 'slivers') return []
  const listed = new Set(spec.nodes)
  const offered = new Set(
    nodes
      .filter(
        ({ state, not_ready: notReady = null }) => state === 'production' && notReady === null,
      )
      .map(({ id }) => id),
  )
  return present
    .filter(({ node }) => !listed.has(node.name) && !offered.has(node.id))
    .map(({ node }) => node.name)
}

/** The slivers that a slice is to have. */
export interface WantedSlivers {
  readonly nodes: readonly Node[]
  readonly resources: readonly ResourceRequest[]
  readonly template: Template
  readonly version: TemplateVersion
  /** The previous template and its version; null: none. */
  readonly templateBefore: TemplateBefore | null
  /** The data archive that the slivers are to have; null: nobody asked for any, so they are not compared. */
  readonly data: WantedData | null
}

/** The data archive that the slivers of a slice are to have. */
export interface WantedData {
  /** Its SHA-256, and that of the slice's previous one; null: none. */
  readonly sha256: string | null
  readonly before: string | null
  /** The nodes whose slivers may have been made before their present data: it was changed since their last update. */
  readonly changedOn: ReadonlySet<number>
}

/** The template that a slice had. */
export interface TemplateBefore {
  readonly id: number
  readonly name: string
  /** null: it had no image. */
  readonly version: number | null
}

/** Compare the present slivers of a slice with the wanted ones. */
export function compareSlivers(
  present: readonly Sliver[],
  { nodes, resources, ...wants }: WantedSlivers,
): SliverChanges {
  const wanted = new Set(nodes.map(({ id }) => id))
  const has = new Set(present.map(({ node }) => node.id))
  const removed = present.filter(({ node }) => !wanted.has(node.id))
  const remade = present.flatMap((sliver) => {
    if (!wanted.has(sliver.node.id)) return []
    const why = whyRemade(sliver, resources, wants)
    return why === null ? [] : [{ sliver, why }]
  })
  const losses = [
    ...removed.map((sliver) => ({ sliver, why: 'removed, for its node is not in the list' })),
    ...remade.map(({ sliver, why }) => ({ sliver, why: `made again, for ${why}` })),
  ]
  return {
    added: [...wanted].filter((id) => !has.has(id)),
    removed: removed.map(({ node }) => node.id),
    remade: remade.map(({ sliver }) => sliver.node.id),
    losses: losses
      .filter(({ sliver }) => !isEmpty(sliver))
      .map(({ sliver, why }) => ({ node: sliver.node.name, why })),
  }
}

function whyRemade(
  sliver: Sliver,
  resources: readonly ResourceRequest[],
  wants: Omit<WantedSlivers, 'nodes' | 'resources'>,
): string | null {
  const { template, version, templateBefore: before, data } = wants
  if (before?.id !== template.id)
    return `its template becomes ${template.name} instead of ${before?.name ?? 'none'}`
  if (before.version !== version.version)
    return `its template becomes ${templateName(template.name, version.version)} instead of ${templateName(before.name, before.version)}`
  const otherData = data === null ? null : whyOtherData(sliver, data)
  if (otherData !== null) return otherData
  const changes = resources.flatMap(({ name, req, unit = '' }) => {
    const before = sliver.resources.find((each) => each.name === name)?.req
    return before === req ? [] : [`${name} becomes ${req} ${unit} instead of ${before ?? 0}`]
  })
  return changes.length === 0 ? null : `its ${changes.join(' and its ')}`
}

function whyOtherData(sliver: Sliver, { sha256, before, changedOn }: WantedData): string | null {
  // A sliver with data of its own keeps it.
  if ((sliver.data_sha256 ?? null) !== null) return null
  const made = dataMadeWith(sliver)
  if (made !== undefined)
    return made === sha256 ? null : `its data becomes ${nameOf(sha256)} instead of ${nameOf(made)}`
  if (sha256 !== before) return `its data becomes ${nameOf(sha256)} instead of ${nameOf(before)}`
  if (!changedOn.has(sliver.node.id)) return null
  return `its data was changed to ${nameOf(sha256)} after it was made`
}

/** Name a data archive by the beginning of its SHA-256. */
function nameOf(data: string | null): string {
  return data === null ? 'none' : data.slice(0, 12)
}

/** Tell whether a sliver was never deployed, so that nothing in it can be lost. */
function isEmpty({ state }: Sliver): boolean {
  return state === 'fail_allocate' || state === 'fail_deploy'
}
