import { expect, test } from 'vitest'
import { findUnorderedQueues } from '../../../../../agent/src/sliver/domain/queues.ts'

const links = `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN
2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP mode DEFAULT group default qlen 1000
3: eth1: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel master br-lan state UP
4: br-lan: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP
5: eth0.7@eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP
6: slv-01-03@if2: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP`
const noqueue = ['br-lan', 'eth0.7', 'lo']
  .map((name) => `qdisc noqueue 0: dev ${name} root refcnt 2`)
  .join('\n')

const cases: readonly [string, string, string, readonly string[]][] = [
  [
    'fq_codel',
    'default via fe80::2 dev eth0 metric 1',
    'fq_codel 0: dev eth0 root',
    ['eth0 (fq_codel)'],
  ],
  ['pfifo_fast', 'default via fe80::2 dev eth0', 'pfifo_fast 0: dev eth0 root', []],
  [
    'prio with any queues inside',
    'default dev eth0',
    'prio 1: dev eth0 root\nqdisc fq_codel 0: dev eth0 parent 1:1',
    [],
  ],
  [
    'mq with fq_codel inside',
    'default dev eth0',
    'mq 0: dev eth0 root\nqdisc fq_codel 0: dev eth0 parent :1\nqdisc fq_codel 0: dev eth0 parent :2',
    ['eth0 (fq_codel)'],
  ],
  [
    'mq with pfifo_fast inside',
    'default dev eth0',
    'mq 0: dev eth0 root\nqdisc pfifo_fast 0: dev eth0 parent :1',
    [],
  ],
  ['a queue that is down', 'default dev eth0', 'noop 0: dev eth0 root', []],
  [
    'the ports of a bridge',
    'fd77::/64 dev br-lan proto kernel',
    'cake 8001: dev eth1 root',
    ['eth1 (cake)'],
  ],
  ['the interface beneath a VLAN', 'default dev eth0.7', 'fq 0: dev eth0 root', ['eth0 (fq)']],
  [
    'each of several next hops',
    'default metric 1 \\ nexthop via fe80::1 dev lo \\ nexthop via fe80::2 dev eth0',
    'tbf 1: dev eth0 root',
    ['eth0 (tbf)'],
  ],
  [
    'an interface with a link-local route alone',
    'fe80::/64 dev eth0 proto kernel',
    'fq_codel 0: dev eth0 root',
    [],
  ],
  ["a sliver's interface", 'fd77::1 dev slv-01-03', 'fq_codel 0: dev slv-01-03 root', []],
]

test.each(cases)('it judges %s', (_, routes, queue, found) => {
  const queues = `${noqueue}\nqdisc ${queue} refcnt 2 limit 1000\n`
  expect(findUnorderedQueues({ links, routes, queues }, (name) => name.startsWith('slv-'))).toEqual(
    found,
  )
})
