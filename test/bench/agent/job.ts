import { bool, count, point, seconds, text } from '@community-lab/contract'

/** What is measured: slivers of one node, each with a program that writes rows of four fields at a rate. */
export const job = { slivers: 10, perSecond: 1_000, warmUpS: 4, seconds: 20 } as const

/** The run that each line of a sliver names. */
export function runOf(sliver: number): string {
  return `bench-20260101T000000Z-${String(sliver).padStart(12, '0')}`
}

/** What the run declares, so that each line is checked. */
export const rtt = point('rtt', {
  rtt_s: seconds('round trip'),
  ttl: count('hops left'),
  lost: bool(),
  peer: text(),
})

const paced = `
use strict; use warnings; use Time::HiRes qw(time sleep);
$| = 1;
my ($rate, $rows, $of) = @ARGV[0 .. 2];
my $start = time;
for my $nr (1 .. $rows) {
  my $wait = $start + $nr / $rate - time;
  sleep($wait) if $wait > 0;
  my ($rtt, $ttl, $lost) = (0.01 + rand() / 100, 50 + int(rand(8)), rand() < 0.01 ? 1 : 0);
  put($of, $rtt, $ttl, $lost);
}`

/** The program in a sliver, in Perl: rate, rows, its number, the FIFO, the run. It writes each row as it comes. */
export const sliverProgram = `
use Fcntl; sysopen(my $out, $ARGV[3], O_WRONLY) or die "$ARGV[3]: $!";
sub put {
  my ($of, $rtt, $ttl, $lost) = @_;
  syswrite($out, sprintf("rtt rtt_s=%.6f ttl=%d lost=%s peer=n%d run=%s\\n", $rtt, $ttl, $lost ? 'true' : 'false', $of, $ARGV[4])) or die;
}
${paced}`

/** The same rows for collectd's exec plugin, in Perl: rate, rows, its number, and whether the values of a row are one list or a list each. */
export const collectdProgram = `
my $each = $ARGV[3] eq 'each';
sub put {
  my ($of, $rtt, $ttl, $lost) = @_;
  if ($each) {
    print qq(PUTVAL "bench/rtt-n$of/gauge-$_->[0]" interval=1 N:$_->[1]\\n) for ['rtt_s', $rtt], ['ttl', $ttl], ['lost', $lost], ['peer', $of];
  } else {
    printf(qq(PUTVAL "bench/rtt-n%d/rtt" interval=1 N:%.6f:%d:%d:%d\\n), $of, $rtt, $ttl, $lost, $of);
  }
}
${paced}`
