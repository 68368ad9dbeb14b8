import type { Sliver as SliverObject, SliverState } from '@community-lab/contract'

/** A sliver that has started. */
export function sliverObject(nodeId: number, hostKey: string): SliverObject {
  const id = `1@${nodeId}`
  const state: SliverState = 'started'
  return {
    uri: `/api/slivers/${id}/`,
    id,
    slice: { uri: '/api/slices/1/', id: 1 },
    node: { uri: `/api/nodes/${nodeId}/`, id: nodeId, name: `n${nodeId}` },
    description: '',
    instance_sn: 1,
    template: null,
    set_state: null,
    effective_set_state: 'start',
    properties: {},
    resources: [],
    interfaces: [],
    mgmt_net: { backend: 'tinc', addr: 'fd65::1' },
    state,
    state_changed_on: null,
    actual: {
      id,
      nr: 1,
      state,
      slice_instance_sn: 1,
      instance_sn: 1,
      // Every sliver has this machine's own address, so probes are real.
      interfaces: [{ nr: 3, name: 'pub1', type: 'public6', mac_addr: '', ipv6_addr: '::1' }],
      ssh_host_key: hostKey,
      started_on: '2026-07-01T10:00:00.000Z',
      errors: [],
    },
    errors: [],
  }
}
