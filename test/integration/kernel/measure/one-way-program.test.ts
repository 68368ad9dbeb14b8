import { expect, it } from 'vitest'
import { oneWayProgram } from '../../../../kernel/src/measure/one-way-program.ts'
import { settings } from '../../../../kernel/src/measure/prober.ts'
import { dropFourth, rowsOf, runId, runOnLink, type EndProgram } from './link.ts'

const ends = [
  ['1@1', 'n1', 'fd00::a'],
  ['1@2', 'n2', 'fd00::b'],
]

/** Both slivers send and receive. */
const program = (at: 'a' | 'b', count: number): EndProgram => ({
  at,
  sliver: at === 'a' ? '1@1' : '1@2',
  script: oneWayProgram,
  settings: settings(
    { every_ns: 100e6, patience_ns: 1000e6, lead_ns: 2000e6, count, bytes: 56 },
    ['from', 'to'].flatMap((what) => ends.map((end) => [what, ...end])),
  ),
})

it('counts as lost what a link loses, no more and no less', async () => {
  const result = await runOnLink([program('a', 20), program('b', 20)], dropFourth)
  const there = { ...result, rows: result.rows.filter(({ at }) => at === 'b') }
  const lost = rowsOf(there, 'one_way').filter((row) => row['lost'])
  expect(lost.map((row) => row['seq_no'])).toEqual([4, 8, 12, 16, 20])
  expect(rowsOf(there, 'one_way_count')).toMatchObject([{ received: 15, lost: 5, is_whole: true }])
})

it('makes a row of each packet in both directions, and says how many were sent', async () => {
  const result = await runOnLink([program('a', 10), program('b', 10)])
  expect(result).toMatchObject({ exitCode: 0, stderr: '' })
  for (const [at, source] of [
    ['a', 'n2'],
    ['b', 'n1'],
  ] as const) {
    const there = { ...result, rows: result.rows.filter((row) => row.at === at) }
    const rows = rowsOf(there, 'one_way')
    expect(rows.map((row) => row['seq_no'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    for (const row of rows) expect(row).toMatchObject({ source, lost: false, ttl: 64, run: runId })
    // The clock is the same at both ends, so a packet does not come before it was sent.
    for (const row of rows) expect(row['delay_s']).toBeGreaterThan(0)
    const count = { received: 10, lost: 0, late: 0, duplicate: 0, reordered: 0, is_whole: true }
    expect(rowsOf(there, 'one_way_count')).toEqual([{ source, ...count, run: runId }])
    expect(rowsOf(there, 'one_way_sent')).toMatchObject([{ sent: 0 }, { sent: 10, unsent: 0 }])
  }
})

/** Sends what a sliver sends, but some packets never, twice, or after later ones; and packets that are not of this run. */
const sender = String.raw`#!/usr/bin/perl
use strict; use warnings; use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6);
my ($secret) = $ENV{COMMUNITY_LAB_RUN} =~ /([0-9a-f]{12})$/;
my $cookie = pack('H12 n', $secret, 0x0a11);
my $port = 20000 + unpack('N', substr($cookie, 2, 4)) % 20000;
socket(my $socket, AF_INET6, SOCK_DGRAM, 17) or die $!;
bind($socket, pack_sockaddr_in6($port, "\0" x 16)) or die $!;
my $to = pack_sockaddr_in6($port, inet_pton(AF_INET6, 'fd00::b'));
sub packet { return pack('a8 q3', $_[0], $_[1] << 16, $_[2], time() * 1_000_000_000) }
connect($socket, $to) or die $!;
# Until the receiver is there: what comes back is that nobody listens.
do { send($socket, 'anybody', 0); select(undef, undef, undef, 0.05) } until defined send($socket, 'anybody', 0) && !unpack('i', getsockopt($socket, SOL_SOCKET, SO_ERROR));
for my $seq (1, 2, 4, 3, 5, 5, 8) {
  send($socket, packet("other run", 0, $seq), 0);
  send($socket, packet($cookie, 0, $seq), 0);
  select(undef, undef, undef, 0.1);
}
send($socket, packet($cookie, 0, 11), 0);
send($socket, packet($cookie, 1, 10), 0);
`

it('tells lost, reordered and repeated packets, and those of others, apart', async () => {
  const result = await runOnLink([program('b', 10), { at: 'a', sliver: '1@1', script: sender }])
  const rows = rowsOf(result, 'one_way')
  const numbers = (key: string) => rows.filter((row) => row[key]).map((row) => row['seq_no'])
  expect(numbers('lost')).toEqual([6, 7, 9, 10])
  expect(numbers('reordered')).toEqual([3])
  expect(numbers('duplicate')).toEqual([5])
  const counts = { received: 6, lost: 4, late: 0, duplicate: 1, reordered: 1, is_whole: true }
  expect(rowsOf(result, 'one_way_count')).toMatchObject([{ source: 'n1', ...counts }])
})
