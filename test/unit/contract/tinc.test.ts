import {
  canonicalSubnet,
  isRsaPublicKeyPem,
  isTincdOf,
  nodeTincName,
  parseHostFile,
  parseTincName,
  rawSocketCommands,
  renderHostFile,
  renderTincConf,
  renderTincUp,
  serverTincName,
  tincdArguments,
  tincSubnet,
} from '@community-lab/contract'
import { describe, expect, test } from 'vitest'

const prefix = 'fd65:fc41:c50f::/48'
const pubkey = [
  '-----BEGIN RSA PUBLIC KEY-----',
  'MIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw',
  '7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u+qKhbwKfBstIs+bMY2Zkp18gnTxKLxoS',
  '-----END RSA PUBLIC KEY-----',
  '',
].join('\n')

describe('names in tinc', () => {
  test('are CONFINE’s, with the id in decimal', () => {
    expect([serverTincName(), nodeTincName(12345)]).toEqual(['server_2', 'node_12345'])
    expect(parseTincName('node_12345')).toEqual({ kind: 'node', id: 12345 })
    expect(parseTincName('host_7')).toEqual({ kind: 'host', id: 7 })
  })

  test.each([
    '',
    'node',
    'node_',
    'node_0',
    'node_01',
    'node_1/../x',
    'node_1-up',
    'Node_1',
    'x_1',
  ])('%j is none', (name) => {
    expect(parseTincName(name)).toBeNull()
  })

  test('tell what their host owns', () => {
    expect(tincSubnet(prefix, 'node_3')).toBe('fd65:fc41:c50f:3::/64')
    expect(tincSubnet(prefix, 'server_2')).toBe('fd65:fc41:c50f::2/128')
    expect(tincSubnet(prefix, 'host_7')).toBe('fd65:fc41:c50f:0:2000::7/128')
    expect(tincSubnet(prefix, 'node_65535')).toBeNull()
    expect(tincSubnet('fd65::/64', 'node_3')).toBeNull()
  })
})

describe('a host file', () => {
  const server = {
    addresses: [{ addr: 'fd77::5e', port: 655 }],
    subnets: ['fd65:fc41:c50f::2/128', prefix],
    pubkey,
  }

  test('says where the host is, what it owns and by which key it is known', () => {
    expect(renderHostFile(server)).toBe(
      `Address = fd77::5e 655\nSubnet = fd65:fc41:c50f::2/128\nSubnet = ${prefix}\n\n${pubkey}`,
    )
  })

  test('is read back', () => {
    expect(parseHostFile(renderHostFile(server))).toEqual(server)
    expect(parseHostFile(renderHostFile({ ...server, port: 1655 })).port).toBe(1655)
  })

  test.each([
    ['an option that reads files', `PublicKeyFile = /etc/shadow\n\n${pubkey}`],
    ['a subnet that is none', `Subnet = fd65::1::/64\n\n${pubkey}`],
    ['no key', 'Subnet = fd65::/64\n'],
    ['something behind the key', `Subnet = fd65::/64\n\n${pubkey}Port = 1\n`],
    ['a private key', pubkey.replaceAll('PUBLIC', 'PRIVATE')],
    ['another spelling', `subnet=fd65::/64\n\n${pubkey}`],
    ['a port that is none', `Port = 70000\n\n${pubkey}`],
  ])('with %s is refused', (_, text) => {
    expect(() => parseHostFile(text)).toThrow(RangeError)
  })

  test('cannot be made with a line smuggled in', () => {
    const smuggled = 'fd77::5e\nPublicKeyFile'
    expect(() => renderHostFile({ ...server, addresses: [{ addr: smuggled, port: 1 }] })).toThrow()
    expect(() => renderHostFile({ ...server, subnets: [`${prefix}\nPort = 1`] })).toThrow()
    expect(() => renderHostFile({ ...server, pubkey: `Port = 1\n${pubkey}` })).toThrow()
    expect(isRsaPublicKeyPem(`${pubkey}${pubkey}`)).toBe(false)
  })
})

test('subnets are written canonically, tinc’s weight left out', () => {
  expect(canonicalSubnet('FD65:FC41:C50F:1:0:0:0:0/80#10')).toBe('fd65:fc41:c50f:1::/80')
  expect(() => canonicalSubnet('fd65::/129')).toThrow(RangeError)
  expect(() => canonicalSubnet('10.0.0.0/8')).toThrow(RangeError)
})

describe('tinc.conf', () => {
  const node = {
    name: 'node_3',
    interface: 'clab-n3',
    device: 'tun',
    connectTo: ['server_2'],
    role: 'spoke',
  } as const

  test('of a node connects to the server and believes host files only', () => {
    const lines = renderTincConf(node).split('\n')
    expect(lines).toEqual(
      expect.arrayContaining(['Name = node_3', 'ConnectTo = server_2', 'StrictSubnets = yes']),
    )
    expect(lines).toContain('Interface = clab-n3')
    expect(lines).not.toContain('TunnelServer = yes')
  })

  test('of the server passes nothing on that one host says of another', () => {
    const hub = { ...node, name: 'server_2', connectTo: [], role: 'hub' } as const
    const lines = renderTincConf(hub).split('\n')
    expect(lines).toContain('TunnelServer = yes')
    expect(lines.some((line) => line.startsWith('ConnectTo'))).toBe(false)
  })

  test('without tun sits on the far end of the veth pair', () => {
    const lines = renderTincConf({ ...node, device: 'raw_socket' }).split('\n')
    expect(lines).toContain('DeviceType = raw_socket')
    expect(lines).toContain('Interface = clab-n3-t')
  })

  test.each([{ name: 'x y' }, { interface: 'eth0; rm' }, { connectTo: ['server_2\nDevice = /x'] }])(
    'is not made from %j',
    (wrong) => {
      expect(() => renderTincConf({ ...node, ...wrong })).toThrow(RangeError)
    },
  )
})

describe('the interface', () => {
  const at = { interface: 'clab-n3', address: 'fd65:fc41:c50f:3::2', prefix }

  test('with tun gets address, MTU and route from tinc-up', () => {
    expect(renderTincUp('tun', at)).toBe(
      [
        '#!/bin/sh',
        'set -e',
        'ip link set dev clab-n3 mtu 1400 up',
        'ip -6 addr replace fd65:fc41:c50f:3::2/128 dev clab-n3 nodad',
        'ip -6 route replace fd65:fc41:c50f::/48 dev clab-n3',
        '',
      ].join('\n'),
    )
  })

  test('without tun has them before tincd starts', () => {
    expect(renderTincUp('raw_socket', at)).toBe('#!/bin/sh\nset -e\n')
    const commands = rawSocketCommands(at).map((argv) => argv.join(' '))
    expect(commands).toContain('ip -6 addr replace fd65:fc41:c50f:3::2/128 dev clab-n3 nodad')
    expect(commands[0]).toContain('address fe:fd:00:00:00:00')
  })

  test('is not made with a shell in its names', () => {
    expect(() => renderTincUp('tun', { ...at, interface: 'a;reboot' })).toThrow(RangeError)
    expect(() => renderTincUp('tun', { ...at, address: '$(reboot)' })).toThrow(RangeError)
    expect(() => renderTincUp('tun', { ...at, prefix: '`reboot`/48' })).toThrow(RangeError)
  })
})

describe('a tincd', () => {
  test('is known by its command line, whatever its path', () => {
    const argv = ['/usr/sbin/tincd', ...tincdArguments('/run/x'), '']
    expect(isTincdOf(argv, '/run/x')).toBe(true)
    expect(isTincdOf(argv, '/run/y')).toBe(false)
    expect(isTincdOf(['vi', ...tincdArguments('/run/x')], '/run/x')).toBe(false)
    expect(isTincdOf([], '/run/x')).toBe(false)
  })
})
