import { isFailed, settledState, type Node, type Sliver } from '@community-lab/contract'

/** How a state is coloured. `good`: as wanted; `busy`: changing; `bad`: wrong; `idle`: neutral. */
export type Tone = 'good' | 'busy' | 'bad' | 'idle'

/** Return the tone of a node. */
export function toneOfNode(node: Node): Tone {
  switch (node.state) {
    case 'production':
      return node.not_ready ? 'busy' : 'good'
    case 'offline':
    case 'crashed':
    case 'failure':
      return 'bad'
    case 'safe':
      return node.set_state === 'production' ? 'busy' : 'idle'
    case 'debug':
    case 'unknown':
    // A newer server may have more states, which have no colour.
    default:
      return 'idle'
  }
}

/** Return the tone of a sliver: good when it is in the state that is wanted. */
export function toneOfSliver(sliver: Sliver): Tone {
  if (isFailed(sliver.state)) return 'bad'
  if (sliver.state === settledState(sliver.effective_set_state)) {
    return sliver.effective_set_state === 'start' ? 'good' : 'idle'
  }
  return 'busy'
}

/** Describe the slivers of a slice in a few words: how many run, how many failed. */
export function summarizeSlivers(slivers: readonly Sliver[]): string {
  if (slivers.length === 0) return 'no slivers'
  const started = slivers.filter((sliver) => sliver.state === 'started').length
  const failed = slivers.filter((sliver) => isFailed(sliver.state)).length
  return `${started} of ${slivers.length} started${failed === 0 ? '' : `, ${failed} failed`}`
}
