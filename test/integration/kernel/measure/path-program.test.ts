import { expect, it } from 'vitest'
import { pathProgram } from '../../../../kernel/src/measure/path-program.ts'
import { settings } from '../../../../kernel/src/measure/prober.ts'
import { rowsOf, runId, runOnLink, type EndProgram } from './link.ts'

const program: EndProgram = {
  at: 'a',
  sliver: '1@1',
  script: pathProgram,
  settings: settings({ every_s: 0.5, rounds: 2, probes: 3, hops: 20, flow_label: 4711 }, [
    ['to', '1@1', 'n1', 'fd00::a'],
    ['to', '1@2', 'n2', 'fd01::9'],
    ['node', 'n2', 'fd00::b', 'fd01::'],
    ['node', 'n3', 'fd00::e', '-'],
    ['node', 'n4', '-', 'fd04::'],
  ]),
}

/** The target is behind b, and counts probes with the flow label. */
const behind = `nsenter -t $b -n sh -c 'ip addr add fd01::9/128 dev lo; sysctl -qw net.ipv6.conf.all.forwarding=1'
ip -6 route add fd01::/64 via fd00::b`

it('traces a path in each round, with the losses of each hop', async () => {
  const result = await runOnLink([program], behind)
  expect(result).toMatchObject({ exitCode: 0, stderr: '' })
  const path = {
    peer: 'n2',
    hops: 1,
    reached: true,
    changed: false,
    addresses: 'fd01::9',
    nodes: 'n2',
  }
  expect(rowsOf(result, 'path')).toMatchObject([
    { ...path, round: 1, run: runId },
    { ...path, round: 2 },
  ])
  expect(rowsOf(result, 'path_hop')[0]).toMatchObject({
    ...{ peer: 'n2', round: 1, ttl: 1, address: 'fd01::9', hop_node: 'n2', received: 3, lost: 0 },
  })
  expect(rowsOf(result, 'tool')).toMatchObject([{ tool: 'traceroute' }])
})

it('keeps one flow label in all probes', async () => {
  // Other echo requests than those of this flow are not let through: nobody would answer.
  const filter = `nsenter -t $b -n nft -f - << 'rules'
table ip6 one {
  chain input { type filter hook input priority 0; icmpv6 type echo-request ip6 flowlabel != 4711 drop; }
}
rules`
  const result = await runOnLink([program], `${behind}\n${filter}`)
  expect(rowsOf(result, 'path_hop').map((row) => row['lost'])).toEqual([0, 0])
})

it('counts a lost probe once, also where several routers answer at one hop', async () => {
  // The two namespaces have no router with several paths. This prints what traceroute prints behind one.
  const traceroute = `bin=$(mktemp -d); trap 'rm -r $bin; kill $b 2>/dev/null' EXIT
cat > $bin/traceroute << 'program'
#!/bin/sh
if [ "$1" = --version ]; then echo 'Modern traceroute for Linux, version 2.1.2'; exit; fi
echo 'traceroute to fd01::9 (fd01::9), 20 hops max, 80 byte packets'
echo ' 1  fd00::b  0.100 ms fd00::c  0.300 ms *'
echo ' 2  fd01::9  0.500 ms  0.400 ms  0.600 ms'
echo ' 3  * * *'
echo ' 4  fd04::7  0.500 ms  0.400 ms  0.600 ms'
program
chmod 755 $bin/traceroute; PATH=$bin:$PATH`
  const result = await runOnLink([program], traceroute)
  const hops = rowsOf(result, 'path_hop')
  expect(hops.slice(0, 3)).toMatchObject([
    { ttl: 1, address: 'fd00::b', received: 1, lost: 1 },
    { ttl: 1, address: 'fd00::c', received: 1, lost: 0 },
    { ttl: 2, address: 'fd01::9', received: 3, lost: 0 },
  ])
  expect(hops.map((hop) => hop['hop_node'])).toEqual([
    ...['n2', undefined, 'n2', undefined, 'n4'],
    ...['n2', undefined, 'n2', undefined, 'n4'],
  ])
  expect(rowsOf(result, 'path')[0]).toMatchObject({ nodes: 'n2|fd00::c n2 * n4' })
})
