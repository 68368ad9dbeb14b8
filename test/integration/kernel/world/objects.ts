import type {
  Node as NodeObject,
  Sliver as SliverObject,
  SliverState,
} from '@community-lab/contract'

/** A node in production. */
export function nodeObject(node: SliverObject['node']): NodeObject {
  return {
    ...node,
    description: '',
    group: { uri: '/api/groups/1/', id: 1 },
    arch: 'x86_64',
    properties: {},
    set_state: 'production',
    boot_sn: 0,
    mgmt_net: { backend: 'tinc', addr: 'fd65::1' },
    tinc: { name: `node_${node.id}`, pubkey: null },
    resources: [],
    slivers: [],
    state: 'production',
    state_changed_on: null,
    last_seen_on: null,
    soft_version: null,
    public_prefix: null,
    capabilities: null,
    errors: [],
  }
}

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
