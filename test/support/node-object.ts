import type { Node } from '@community-lab/contract'

/** Return a node in production, without slivers. */
export const aNode = (id: number, name: string): Node => ({
  uri: `/api/nodes/${id}/`,
  id,
  name,
  description: '',
  group: { uri: '/api/groups/1/', id: 1 },
  arch: 'x86_64',
  properties: {},
  island: null,
  cn: null,
  set_state: 'production',
  boot_sn: 0,
  mgmt_net: { backend: 'tinc', addr: `fd65:fc41:c50f:${id}::2` },
  tinc: { name: `node_${id}`, pubkey: null },
  resources: [{ name: 'memory', unit: 'MiB', total: 512, max_req: 512, dflt_req: 64, avail: 448 }],
  slivers: [],
  state: 'production',
  state_changed_on: null,
  last_seen_on: null,
  soft_version: null,
  public_prefix: null,
  capabilities: null,
  errors: [],
})
