import {
  defaultInterfaces,
  sliverId,
  type Arch,
  type NodeReport,
  type SliverTarget,
} from '@community-lab/contract'
import { runsImage } from './admission.ts'

/** The slice of all probes, which is none: the largest id that agents accept. Slices are numbered from 1 on. */
export const probeSliceId = 999_999_999

/** What a probe may take. It is little, because it comes on top of what the node's slivers are promised. */
const resources: SliverTarget['resources'] = [
  { name: 'memory', req: 32 },
  { name: 'disk', req: 32 },
  { name: 'cpu', req: 50 },
  { name: 'processes', req: 32 },
]

/** A template as the target of a sliver names it. */
export type TargetTemplate = NonNullable<SliverTarget['template']>

/**
 * Return the target of a node's probe: a sliver that belongs to no slice, by which the node shows that it can make slivers. Its agent makes it like any other,
 * tries again ever more seldom, and removes it when it is not wanted any more. It has no keys and is in no list. null: no template suits the node.
 *
 * @param templates - the public templates that have an image, the best first.
 */
export function probeTarget(
  node: { readonly id: number; readonly arch: Arch },
  templates: readonly TargetTemplate[],
): SliverTarget | null {
  const template = templates.find((each) =>
    each.node_archs.some((arch) => runsImage(node.arch, arch)),
  )
  if (template === undefined) return null
  return {
    id: sliverId(probeSliceId, node.id),
    slice_id: probeSliceId,
    slice_name: 'probe',
    set_state: 'start',
    slice_instance_sn: 0,
    instance_sn: 0,
    template,
    resources,
    interfaces: [...defaultInterfaces],
    ssh_authorized_keys: [],
  }
}

/** What a probe has shown. `nothing`: it is under way, or the node has no room for it. */
export type ProbeResult = 'works' | 'fails' | 'nothing'

/** Read the result of a node's probe from its report. */
export function readProbe({ slivers }: Pick<NodeReport, 'slivers'>, nodeId: number): ProbeResult {
  const probe = slivers.find(({ id }) => id === sliverId(probeSliceId, nodeId))
  if (probe?.state === 'started') return 'works'
  const isFull = probe?.errors.some(({ member }) => member === '/resources') ?? false
  return probe?.state.startsWith('fail_') === true && !isFull ? 'fails' : 'nothing'
}
