import {
  type Node,
  type ResourceRequest,
  type SliceSpec,
  type Sliver,
  type Template,
} from '@community-lab/contract'

/** What becomes of a slice's slivers when a spec is carried out. Ids are nodes'. */
export interface SliverChanges {
  readonly added: readonly number[]
  readonly removed: readonly number[]
  /** Their template or resources change, so that they are made again. */
  readonly remade: readonly number[]
  /** Slivers of which a researcher would lose what is in them, and why. */
  readonly losses: readonly { readonly node: string; readonly why: string }[]
}

/**
 * Find the nodes that keep their sliver although a spec does not list them. A node that is not in production today is not in a list of nodes that are, and
 * nobody chose to leave it out. With `may_lose: 'slivers'` the list is taken as it is.
 */
export function keptNodes(
  spec: SliceSpec,
  present: readonly Sliver[],
  nodes: readonly Node[],
): string[] {
  if (spec.may_lose === 'slivers') return []
  const listed = new Set(spec.nodes)
  const inProduction = new Set(
    nodes.filter(({ state }) => state === 'production').map(({ id }) => id),
  )
  return present
    .filter(({ node }) => !listed.has(node.name) && !inProduction.has(node.id))
    .map(({ node }) => node.name)
}

/** What a slice is to become. */
export interface WantedSlivers {
  readonly nodes: readonly Node[]
  readonly resources: readonly ResourceRequest[]
  readonly template: Template
  /** The template until now; null: none. */
  readonly templateBefore: { readonly id: number; readonly name: string } | null
}

/** Compare the slivers that a slice has with those that it is to have. */
export function compareSlivers(
  present: readonly Sliver[],
  { nodes, resources, template, templateBefore }: WantedSlivers,
): SliverChanges {
  const wanted = new Set(nodes.map(({ id }) => id))
  const has = new Set(present.map(({ node }) => node.id))
  const removed = present.filter(({ node }) => !wanted.has(node.id))
  const remade = present.flatMap((sliver) => {
    if (!wanted.has(sliver.node.id)) return []
    const why = whyRemade(sliver, resources, { template, templateBefore })
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
  { template, templateBefore }: Pick<WantedSlivers, 'template' | 'templateBefore'>,
): string | null {
  if (templateBefore?.id !== template.id)
    return `its template becomes ${template.name} instead of ${templateBefore?.name ?? 'none'}`
  const changes = resources.flatMap(({ name, req, unit = '' }) => {
    const before = sliver.resources.find((each) => each.name === name)?.req
    return before === req ? [] : [`${name} becomes ${req} ${unit} instead of ${before ?? 0}`]
  })
  return changes.length === 0 ? null : `its ${changes.join(' and its ')}`
}

/** Tell whether a sliver never came to be, so that nobody has anything in it. */
function isEmpty({ state }: Sliver): boolean {
  return state === 'fail_allocate' || state === 'fail_deploy'
}
