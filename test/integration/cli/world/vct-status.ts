import type { VctStatus } from '@community-lab/contract'

/** A virtual testbed of one node that is cut off. */
export const vctStatus: VctStatus = {
  state: 'running',
  mode: 'root',
  started_on: '2026-01-01T00:00:00Z',
  server_socket: '/s',
  server_url: 'http://127.0.0.1:8080',
  server_pid: 1,
  shaping: 'netem',
  lacks: ['no cgroups here'],
  nodes: [
    {
      name: 'n1',
      id: 1,
      power: 'on',
      links: 'cut',
      agent_pid: 77,
      community_addr: 'fd77::1',
      mgmt_addr: 'fd65::2',
    },
  ],
  links: [{ a: 'n1', b: 'n2', rate_mbps: 20, delay_ms: 5, loss_pct: 0, state: 'cut' }],
}
