import { parseTincLog, renderPresenceScript } from '@community-lab/contract'
import { describe, expect, test } from 'vitest'

// Lines as tincd 1.0.36 wrote them.
describe('a line of tincd’s log', () => {
  test.each([
    ['Ready', { kind: 'ready' }],
    [
      'Connection with node_1 (fd77::1 port 42077) activated',
      { kind: 'connected', name: 'node_1', address: 'fd77::1' },
    ],
    [
      'Closing connection with node_2 (fd77::2 port 34469)',
      { kind: 'closed', name: 'node_2', address: 'fd77::2' },
    ],
    [
      'Ignoring unauthorized ADD_SUBNET from node_3 (fd77::3 port 50465): fd65:fc41:c50f:1:0:0:0:0/80#10',
      {
        kind: 'unauthorized_subnet',
        name: 'node_3',
        address: 'fd77::3',
        subnet: 'fd65:fc41:c50f:1::/80',
      },
    ],
    [
      'Ignoring unauthorized ADD_SUBNET from node_3 (fd77::3 port 50465): 10.0.0.0/8#10',
      { kind: 'unauthorized_subnet', name: 'node_3', address: 'fd77::3', subnet: '10.0.0.0/8#10' },
    ],
    [
      'Peer fd77::2 port 54055 had unknown identity (node_2)',
      { kind: 'unknown_host', name: 'node_2', address: 'fd77::2' },
    ],
    [
      'community-lab host-up node_1 fd77::1',
      { kind: 'host_up', name: 'node_1', address: 'fd77::1' },
    ],
    ['community-lab host-down node_1 ', { kind: 'host_down', name: 'node_1', address: '' }],
    [
      'Trying to connect to server_2 (fd77::5e port 655)',
      { kind: 'connecting', name: 'server_2', address: 'fd77::5e' },
    ],
    ['Trying to re-establish outgoing connection in 5 seconds', { kind: 'waiting' }],
    [
      'Script tinc-up exited with non-zero status 2',
      { kind: 'script_failed', script: 'tinc-up', reason: 'exited with non-zero status 2' },
    ],
  ])('%j is understood', (line, event) => {
    expect(parseTincLog(line)).toEqual(event)
  })

  test.each([
    '',
    'tincd 1.0.36 starting, debug level 1',
    'Listening on :: port 655',
    'Connection from fd77::1 port 42077',
    'Got HUP signal',
    'NotReady',
    'Ready ',
    'Got bad ID from <unknown> (fd77::9 port 1): community-lab host-up node_1 x',
  ])('%j tells nothing', (line) => {
    expect(parseTincLog(line)).toBeNull()
  })

  test('of the presence scripts is the one that is read', () => {
    const [, command = ''] = renderPresenceScript('host-up').split('\n')
    const printed = /"(.*)"/u.exec(command)?.[1] ?? ''
    const line = printed.replace('$NODE', 'node_7').replace('$REMOTEADDRESS', 'fd77::7')
    expect(parseTincLog(line)).toEqual({ kind: 'host_up', name: 'node_7', address: 'fd77::7' })
  })
})
