import {
  LabError,
  maxSliversPerNode,
  nearestName,
  resourceDefaults,
  resourceUnits,
  type Arch,
  type Node,
  type ResourceName,
  type ResourceRequest,
  type SliceSpec,
  type Template,
} from '@community-lab/contract'

/** What {@link admitSlice} needs to know. */
export interface AdmissionContext {
  /** Every node of the testbed. */
  readonly nodes: readonly Node[]
  /** Every template. */
  readonly templates: readonly Template[]
  /** The resources of the slice's present slivers, by the name of the node. */
  readonly present: ReadonlyMap<string, readonly ResourceRequest[]>
}

/** What was admitted. */
export interface Admission {
  readonly template: Template
  /** The nodes, in the order of the spec. */
  readonly nodes: readonly Node[]
  /** The resources of each sliver: all of them, requested or by default. */
  readonly resources: readonly ResourceRequest[]
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
 * @throws {@link LabError} LAB_SLICE_UNKNOWN_TEMPLATE, LAB_TEMPLATE_NO_IMAGE, LAB_SLICE_UNKNOWN_NODE, LAB_SLICE_NODE_NOT_READY,
 * LAB_SLICE_ARCH_MISMATCH, LAB_SLICE_NO_CAPACITY.
 */
export function admitSlice(spec: SliceSpec, context: AdmissionContext): Admission {
  const { nodes: known, templates, present } = context
  const template = findTemplate(spec, templates)
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
  for (const node of nodes) {
    if (!present.has(node.name)) checkNode(spec.name, node, template)
    checkRoom(spec.name, node, { resources, nodes: known, present })
  }
  return { template, nodes, resources }
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

function findTemplate(spec: SliceSpec, templates: readonly Template[]): Template {
  const template = templates.find((each) => each.name === spec.template && each.is_active)
  if (template === undefined) {
    const known = templates.filter((each) => each.is_active).map((each) => each.name)
    const suggestion = nearestName(spec.template, known)
    throw new LabError('LAB_SLICE_UNKNOWN_TEMPLATE', {
      slice: spec.name,
      template: spec.template,
      suggestion,
      known,
    })
  }
  if (template.image_sha256 === null)
    throw new LabError('LAB_TEMPLATE_NO_IMAGE', { template: template.name })
  return template
}

function checkNode(slice: string, node: Node, template: Template): void {
  if (node.state !== 'production' || node.set_state !== 'production')
    throw new LabError('LAB_SLICE_NODE_NOT_READY', { slice, node: node.name, state: node.state })
  if (!template.node_archs.some((arch) => runs(node.arch, arch)))
    throw new LabError('LAB_SLICE_ARCH_MISMATCH', {
      slice,
      node: node.name,
      arch: node.arch,
      template: template.name,
      archs: template.node_archs,
    })
}

/** A 64-bit PC runs images of 32-bit ones. Source: CONFINE, templates' node_archs. */
function runs(node: Arch, image: Arch): boolean {
  return node === image || (node === 'x86_64' && (image === 'i586' || image === 'i686'))
}

interface Room {
  readonly resources: readonly ResourceRequest[]
  readonly nodes: readonly Node[]
  readonly present: AdmissionContext['present']
}

function checkRoom(slice: string, node: Node, { resources, nodes, present }: Room): void {
  const refuse = (resource: string, unit: string, asked: number, free: (node: Node) => number) => {
    const best = nodes
      .filter((each) => each.state === 'production')
      .reduce((most, each) => (free(each) > free(most) ? each : most), node)
    return new LabError('LAB_SLICE_NO_CAPACITY', {
      slice,
      resource,
      asked,
      unit,
      largestFree: free(best),
      node: best.name,
      onNode: node.name,
    })
  }
  if (!present.has(node.name) && node.slivers.length >= maxSliversPerNode)
    throw refuse('slivers', 'slivers', 1, (each) => maxSliversPerNode - each.slivers.length)
  for (const { name, req } of resources) {
    const free = (each: Node): number => {
      const has = each.resources.find((resource) => resource.name === name)
      if (has === undefined) return 0
      const mine = present.get(each.name)?.find((resource) => resource.name === name)?.req ?? 0
      return Math.min(has.max_req, has.avail + (isReserved(name) ? mine : 0))
    }
    // A node keeps its present slivers, even if it has not reported yet since the start of the server.
    if (present.has(node.name) && node.resources.length === 0) continue
    if (free(node) < req) throw refuse(name, resourceUnits[name], req, free)
  }
}
