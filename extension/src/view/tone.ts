import { isFailed, settledState, type Node, type Sliver } from '@community-lab/contract'

/** How a state is coloured: as wanted, on its way, wrong, or of no concern. */
export type Tone = 'good' | 'busy' | 'bad' | 'idle'

/** The tone of a node. */
export function toneOfNode(node: Node): Tone {
  switch (node.state) {
    case 'production':
      return 'good'
    case 'offline':
    case 'failure':
      return 'bad'
    case 'safe':
      return node.set_state === 'production' ? 'busy' : 'idle'
    case 'debug':
    case 'unknown':
    // A state of a later server is shown by its word alone.
    default:
      return 'idle'
  }
}

/** The tone of a sliver: good once it is what is wanted of it. */
export function toneOfSliver(sliver: Sliver): Tone {
  if (isFailed(sliver.state)) return 'bad'
  if (sliver.state === settledState(sliver.effective_set_state)) {
    return sliver.effective_set_state === 'start' ? 'good' : 'idle'
  }
  return 'busy'
}

/** A slice in a few words: how many of its slivers are up, how many failed. */
export function summarizeSlivers(slivers: readonly Sliver[]): string {
  if (slivers.length === 0) return 'no slivers'
  const started = slivers.filter((sliver) => sliver.state === 'started').length
  const failed = slivers.filter((sliver) => isFailed(sliver.state)).length
  return `${started} of ${slivers.length} started${failed === 0 ? '' : `, ${failed} failed`}`
}
