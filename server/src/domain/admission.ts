import {
  LabError,
  nearestName,
  resourceDefaults,
  resourceUnits,
  type Arch,
  type Node,
  type ResourceName,
  type ResourceRequest,
  type SliceSpec,
  type Template,
  type TemplateVersion,
  parseTemplateName,
} from '@community-lab/contract'
import { mostSlivers } from './lends.ts'
import { chooseVersion, type KeptTemplate } from './template-choice.ts'

/** What {@link admitSlice} needs to know. */
export interface AdmissionContext {
  /** Every node of the testbed. */
  readonly nodes: readonly Node[]
  /** Every template. */
  readonly templates: readonly Template[]
  /** The template that the slice has; null: none. */
  readonly kept: KeptTemplate | null
  /** The resources of the slice's present slivers, by the name of the node. */
  readonly present: ReadonlyMap<string, readonly ResourceRequest[]>
}

/** What was admitted. */
export interface Admission {
  readonly template: Template
  readonly version: TemplateVersion
  /** The nodes, in the order of the spec. */
  readonly nodes: readonly Node[]
  /** The resources of each sliver: all of them, requested or by default. */
  readonly resources: readonly ResourceRequest[]
  /** What is admitted all the same, and may fail: new slivers on nodes that are not ready. */
  readonly warnings: readonly string[]
}

/**
 * Tell whether a resource is reserved. Memory, disk and processes are promised to one sliver only; CPU is a limit that slivers share fairly. Source: CONFINE,
 * equal share per container.
 */
export function isReserved(name: ResourceName): boolean {
  return name !== 'cpu'
}

/**
 * Check a slice against the testbed before anything is reserved: its template, names, states, architectures and free resources.
 *
 * @throws {@link LabError} LAB_SLICE_UNKNOWN_TEMPLATE, LAB_TEMPLATE_NO_IMAGE, LAB_TEMPLATE_NO_VERSION, LAB_SLICE_UNKNOWN_NODE, LAB_SLICE_NODE_NOT_IN_PRODUCTION,
 * LAB_SLICE_ARCH_MISMATCH, LAB_SLICE_NO_CAPACITY.
 */
export function admitSlice(spec: SliceSpec, context: AdmissionContext): Admission {
  const { nodes: known, present } = context
  const { template, version } = findTemplate(spec, context)
  const byName = new Map(known.map((node) => [node.name, node]))
  const nodes = spec.nodes.map((name) => {
    const node = byName.get(name)
    if (node !== undefined) return node
    const names = known.map((each) => each.name)
    const suggestion = nearestName(name, names)
    throw new LabError('LAB_SLICE_UNKNOWN_NODE', {
      slice: spec.name,
      node: name,
      suggestion,
      known: names,
    })
  })
  const resources = completeResources(spec.resources ?? [])
  const request = { slice: spec.name, template, resources, chosen: nodes, known, present }
  for (const node of nodes) if (!present.has(node.name)) checkNode(node, request)
  checkRoom(request)
  const warnings = nodes.flatMap(({ name, not_ready: notReady = null }) =>
    notReady === null || present.has(name)
      ? []
      : [`node ${name} may fail: not ready since ${notReady.since}, for ${notReady.reason}`],
  )
  return { template, version, nodes, resources, warnings }
}

/** Return every resource with its requested or default amount. The last request for a resource counts. */
export function completeResources(requests: readonly ResourceRequest[]): ResourceRequest[] {
  const names = Object.keys(resourceDefaults) as ResourceName[]
  return names.map((name) => ({
    name,
    req: requests.findLast((each) => each.name === name)?.req ?? resourceDefaults[name],
    unit: resourceUnits[name],
  }))
}

/**
 * Find the template of a slice and its version.
 *
 * @throws {@link LabError} LAB_SLICE_UNKNOWN_TEMPLATE, LAB_TEMPLATE_NO_IMAGE, LAB_TEMPLATE_NO_VERSION.
 */
export function findTemplate(
  spec: Pick<SliceSpec, 'name' | 'template'>,
  { templates, kept }: Pick<AdmissionContext, 'templates' | 'kept'>,
): Pick<Admission, 'template' | 'version'> {
  const { name, version } = parseTemplateName(spec.template)
  const template = templates.find((each) => each.name === name && each.is_active)
  if (template === undefined) {
    const known = templates.filter((each) => each.is_active).map((each) => each.name)
    const suggestion = nearestName(name, known)
    throw new LabError('LAB_SLICE_UNKNOWN_TEMPLATE', {
      slice: spec.name,
      template: spec.template,
      suggestion,
      known,
    })
  }
  return { template, version: chooseVersion(template, { version, kept }) }
}

/** A request for slivers, as far as it is known to be right. */
interface SliverRequest {
  readonly slice: string
  readonly template: Template
  readonly resources: readonly ResourceRequest[]
  readonly chosen: readonly Node[]
  readonly known: readonly Node[]
  readonly present: AdmissionContext['present']
}

function checkNode(node: Node, request: SliverRequest): void {
  const { slice, template } = request
  if (!isInProduction(node))
    throw new LabError('LAB_SLICE_NODE_NOT_IN_PRODUCTION', {
      slice,
      node: node.name,
      state: node.state,
      otherNodes: findOthers(request),
    })
  if (!canRun(node, template))
    throw new LabError('LAB_SLICE_ARCH_MISMATCH', {
      slice,
      node: node.name,
      arch: node.arch,
      template: template.name,
      archs: template.node_archs,
    })
}

function isInProduction(node: Node): boolean {
  return node.state === 'production' && node.set_state === 'production'
}

function canRun(node: Node, template: Template): boolean {
  return template.node_archs.some((arch) => runsImage(node.arch, arch))
}

/** Tell whether a node runs images of an architecture. A 64-bit PC runs those of 32-bit ones. Source: CONFINE, templates' node_archs. */
export function runsImage(node: Arch, image: Arch): boolean {
  return node === image || (node === 'x86_64' && (image === 'i586' || image === 'i686'))
}

/** Something of which a node has less than was requested. `slivers`: the node can have no further sliver. */
interface Shortage {
  readonly resource: ResourceName | 'slivers'
  readonly asked: number
  readonly unit: string
}

function checkRoom(request: SliverRequest): void {
  const { slice, known, chosen, present } = request
  const onNode = chosen.find((node) => findShortage(node, request) !== null)
  const shortage = onNode === undefined ? null : findShortage(onNode, request)
  if (onNode === undefined || shortage === null) return
  const { resource, asked, unit } = shortage
  const free = (node: Node) => freeOf(node, resource, present)
  const best = known
    .filter((each) => each.state === 'production')
    .reduce((most, each) => (free(each) > free(most) ? each : most), onNode)
  const short = chosen
    .filter((node) => findShortage(node, request)?.resource === resource)
    .map((node) => ({ node: node.name, free: free(node) }))
  throw new LabError('LAB_SLICE_NO_CAPACITY', {
    slice,
    resource,
    asked,
    unit,
    largestFree: free(best),
    node: best.name,
    onNode: onNode.name,
    short: short.slice(0, mostNodesNamed),
    fits: Math.min(...short.map((each) => each.free)),
    otherNodes: findOthers(request),
  })
}

/** Find the first thing of which a node has too little for a sliver; null: there is room. */
function findShortage(node: Node, { resources, present }: SliverRequest): Shortage | null {
  const isNew = !present.has(node.name)
  if (isNew && freeOf(node, 'slivers', present) < 1)
    return { resource: 'slivers', asked: 1, unit: 'slivers' }
  // A node keeps its present slivers, even if it has not reported yet since the start of the server.
  if (!isNew && node.resources.length === 0) return null
  const short = resources.find(({ name, req }) => freeOf(node, name, present) < req)
  return short === undefined
    ? null
    : { resource: short.name, asked: short.req, unit: resourceUnits[short.name] }
}

/** Return how much of a resource a node can give to a sliver of the slice. What the slice's sliver there has already counts as free. */
function freeOf(
  node: Node,
  resource: ResourceName | 'slivers',
  present: AdmissionContext['present'],
): number {
  if (resource === 'slivers') return Math.max(0, mostSlivers(node) - node.slivers.length)
  const has = node.resources.find(({ name }) => name === resource)
  if (has === undefined) return 0
  const mine = present.get(node.name)?.find(({ name }) => name === resource)?.req ?? 0
  return Math.min(has.max_req, has.avail + (isReserved(resource) ? mine : 0))
}

/** The most nodes that a refusal names. */
const mostNodesNamed = 20

/** Find other nodes on which a sliver as requested could be made. */
function findOthers(request: SliverRequest): string[] {
  const { known, chosen, template, present } = request
  const excluded = new Set([...chosen.map(({ name }) => name), ...present.keys()])
  return known
    .filter((node) => !excluded.has(node.name))
    .filter(
      (node) => isInProduction(node) && (node.not_ready ?? null) === null && canRun(node, template),
    )
    .filter((node) => findShortage(node, request) === null)
    .slice(0, mostNodesNamed)
    .map(({ name }) => name)
}
