import { expect, it } from 'vitest'
import { settings } from '../../../../kernel/src/measure/prober.ts'
import { rttProgram } from '../../../../kernel/src/measure/rtt-program.ts'
import { rowsOf, runId, runOnLink, type EndProgram } from './link.ts'

const probes = (count: number): EndProgram => ({
  at: 'a',
  sliver: '1@1',
  script: rttProgram,
  settings: settings({ every_ns: 200e6, patience_ns: 1500e6, count, bytes: 56 }, [
    ['from', '1@1'],
    ['to', '1@1', 'n1', 'fd00::a'],
    ['to', '1@2', 'n2', 'fd00::b'],
  ]),
})

/**
 * Answers echo instead of the kernel: the second probe never, the fourth twice, and the first one when the tenth has come, which is later than anybody waits. What
 * is not of this measurement it answers too.
 */
const answers = String.raw`#!/usr/bin/perl
use strict; use warnings; use Socket;
socket(my $socket, AF_INET6, SOCK_RAW, 58) or die $!;
my %kept;
while (my $from = recv($socket, my $echo, 65535, 0)) {
  my ($type, $seq) = unpack('C x5 n', $echo);
  next if $type != 128;
  substr($echo, 0, 4) = pack('C n x', 129, 0);
  $kept{$seq} = $echo;
  next if $seq <= 2;
  send($socket, pack('C2 n3', 129, 0, 0, 7, $seq) . ('other' x 20), 0, $from);
  send($socket, $echo, 0, $from) for 1 .. ($seq == 4 ? 2 : 1);
  send($socket, $kept{1}, 0, $from) if $seq == 10;
}
`

it('makes a sample of each probe, and counts them', async () => {
  const result = await runOnLink([probes(3)])
  expect(result).toMatchObject({ exitCode: 0, stderr: '' })
  const rtt = rowsOf(result, 'rtt')
  expect(rtt.map((row) => row['seq_no'])).toEqual([1, 2, 3])
  for (const row of rtt) expect(row).toMatchObject({ lost: false, ttl: 64, peer: 'n2', run: runId })
  const counts = { peer: 'n2', sent: 3, unsent: 0, received: 3, lost: 0, late: 0, duplicate: 0 }
  expect(rowsOf(result, 'rtt_count')).toEqual([{ ...counts, run: runId }])
  expect(rowsOf(result, 'tool')).toMatchObject([{ tool: 'community-lab round-trip' }])
})

it('counts lost probes, late answers and further answers, each exactly once', async () => {
  const responder: EndProgram = { at: 'b', sliver: '1@2', script: answers, background: true }
  const quiet = 'nsenter -t $b -n sysctl -qw net.ipv6.icmp.echo_ignore_all=1'
  const result = await runOnLink([responder, probes(10)], quiet)
  const rtt = rowsOf(result, 'rtt')
  expect(rtt.filter((row) => row['lost']).map((row) => row['seq_no'])).toEqual([1, 2])
  expect(rtt.filter((row) => row['late'])).toMatchObject([{ seq_no: 1, lost: false }])
  expect(rtt.filter((row) => row['duplicate'])).toMatchObject([{ seq_no: 4 }])
  expect(rtt).toHaveLength(12)
  const counts = { sent: 10, unsent: 0, received: 8, lost: 2, late: 1, duplicate: 1 }
  expect(rowsOf(result, 'rtt_count')).toMatchObject([counts])
})

it('says that a probe could not be sent, and fails when none could', async () => {
  const result = await runOnLink([probes(2)], 'ip addr del fd00::a/64 dev w; ip -6 route flush all')
  expect(result).toMatchObject({ exitCode: 1, stderr: 'to n2: Network is unreachable\n' })
  expect(rowsOf(result, 'rtt_count')).toMatchObject([{ sent: 0, unsent: 2, lost: 2 }])
})
