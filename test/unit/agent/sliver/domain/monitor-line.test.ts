import { expect, it } from 'vitest'
import { isAdditionToSliverLink } from '../../../../../agent/src/sliver/domain/monitor-line.ts'

/** What iproute2 6.1 told when a link, its address and its route were added. */
const added = [
  '3: slv-01-03@if2: <BROADCAST,MULTICAST,M-DOWN> mtu 1400 qdisc noop state DOWN group default \\    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff',
  '3: slv-01-03    inet6 fe80::1/64 scope link nodad \\       valid_lft forever preferred_lft forever',
  'local fe80::1 dev slv-01-03 table local proto kernel metric 0 pref medium',
  'fd77::1 dev slv-01-03 metric 1024 pref medium',
]
const ofTheNode = [
  '2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default',
  'default via fe80::2 dev eth0 proto ra metric 1024 pref medium',
]

it.each(added)('knows what was added to a sliver’s link: %s', (line) => {
  expect(isAdditionToSliverLink(line)).toBe(true)
})

it.each([...added.map((line) => `Deleted ${line}`), ...ofTheNode])(
  'leaves out neither what a sliver’s link lost nor what the node’s own links got: %s',
  (line) => {
    expect(isAdditionToSliverLink(line)).toBe(false)
  },
)
