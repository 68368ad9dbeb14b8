import { prober } from './prober.ts'

/**
 * The program that measures throughput with iperf3, pair after pair. All slivers compute the same table of tests: pair K begins K slots after the run was made, which its id tells, plus a lead.
 * So nobody has to reach anybody but the two ends of a test, and a sliver that is away costs its own tests alone. Slots are told by the server's time, as the agent has found it out: the kernel's monotonic clock, which nobody
 * sets, and what the agent says to add to it. A slot is longer than its test, by twice what that may be wrong. A sliver that does not know the time well enough does not test, so no two tests meet.
 *
 * Settings: `test_s`, `slot_s` (0: all at once), `gap_s`, `lead_s`, `protocol`, `bits_per_second` (0: as much as TCP can), lines `from` and `to` of slivers.
 *
 * Sources: iperf3(1), its JSON; RFC 6349 (throughput of TCP) for what a test of TCP tells.
 */
export const throughputProgram = String.raw`${prober}
my ($test, $slot, $gap, $lead) = @option{qw(test_s slot_s gap_s lead_s)};
my ($made) = $run =~ /-(\d{8}T\d{6})Z-[0-9a-f]{12}$/;
die "the run $run has no id of the testbed\n" if !defined $made;
my ($year, $month, $day, $hour, $minute, $second) = $made =~ /(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/;
$ENV{TZ} = 'UTC';
POSIX::tzset();
my $first = POSIX::mktime($second, $minute, $hour, $day, $month - 1, $year - 1900) + $lead;
# Without a variable, the node knows nothing of the server's time. Source: the contract's README.
my ($offset, $error) = @ENV{qw(COMMUNITY_LAB_MONOTONIC_OFFSET_S COMMUNITY_LAB_CLOCK_ERROR_S)};
my $prepared = now(1);
sub server_time { return defined $offset ? now(1) / 1e9 + $offset : now(0) / 1e9 }
# How far it may be wrong now: clocks drift by 15 millionths at most.
sub time_error { return defined $offset ? ($error // 0) + 15e-6 * (60 + (now(1) - $prepared) / 1e9) : undef }
my (@from, @to);
for (@lines) {
  my ($what, $id, $name, $host) = @$_;
  push(@{$what eq 'from' ? \@from : \@to}, {id => $id, name => $name, address => $host});
}
my ($iperf) = grep { -x } map { "$_/iperf3" } split(/:/, $ENV{PATH} // '/usr/bin');
if (!defined $iperf) { print STDERR "this template has no iperf3: install it, or use the template tiny\n"; exit(127) }
my ($version) = (qx($iperf --version))[0] =~ /iperf (\S+)/;
tool('iperf3', $version // '');
flush_lines();
# What this sliver does, by time: serve a test from a moment before its begin, or make it.
my (@events, $k);
$k = 0;
for my $from (@from) {
  for my $to (grep { $_->{id} ne $from->{id} } @to) {
    my $begin = $first + $k * $slot;
    my $task = {peer => $from->{id} eq $own ? $to : $from, begin => $begin, port => 30000 + $k % 20000};
    push(@events, {%$task, at => $begin - $gap / 2, serves => 1}) if $to->{id} eq $own;
    push(@events, {%$task, at => $begin, serves => 0}) if $from->{id} eq $own;
    $k++;
  }
}
@events = sort { $a->{at} <=> $b->{at} } @events;
my (%children, $failed);
for my $event (@events) {
  until ($stop) {
    my $left = $event->{at} - server_time();
    last if $left <= 0;
    select(undef, undef, undef, $left > 1 ? 1 : $left);
    reap();
  }
  last if $stop;
  my $child = fork() // die "fork: $!\n";
  if ($child == 0) {
    $SIG{TERM} = $SIG{INT} = 'DEFAULT';
    exit($event->{serves} ? serve($event) : measure($event));
  }
  $children{$child} = $event->{serves};
}
sub reap {
  while ((my $pid = waitpid(-1, POSIX::WNOHANG())) > 0) { $failed = 1 if $? != 0 && !$children{$pid}; delete $children{$pid} }
}
while (%children) {
  reap();
  if ($stop) { kill('TERM', keys %children); last }
  select(undef, undef, undef, 0.1);
}
exit(143) if $stop;
exit($failed ? 1 : 0);

sub serve {
  my ($event) = @_;
  alarm($test + 2 * $gap + 5);
  open(STDOUT, '>', '/dev/null');
  exec($iperf, '-s', '-1', '-p', $event->{port});
}
sub measure {
  my ($event) = @_;
  my ($peer, $result, $late, $wrong) = ($event->{peer}, undef, server_time() - $event->{begin}, time_error());
  # Tests at the same time need no exact time, only those of which one follows another.
  return fail($event, "the node does not know the server's time, by which tests take turns") if $slot > 0 && !defined $wrong;
  return fail($event, sprintf("the node knows the server's time, by which tests take turns, to %.1f s only", $wrong)) if $slot > 0 && $wrong > $gap / 2;
  return fail($event, 'this sliver was not there when its turn came') if $slot > 0 && $late > $gap / 2;
  my @words = ($iperf, '-J', '-6', '-c', $peer->{address}, '-p', $event->{port}, '-t', $test, '-i', 1, '--connect-timeout', 1000);
  push(@words, '-u', '-l', 1200) if $option{protocol} eq 'udp';
  push(@words, '-b', $option{bits_per_second}) if $option{bits_per_second} > 0;
  # The other end may begin a little later.
  for (1 .. 8) {
    my $pid = open(my $output, '-|', @words) // return fail($event, "iperf3: $!");
    local $SIG{ALRM} = sub { kill('KILL', $pid) };
    alarm($test + $gap);
    my $json = do { local $/; <$output> };
    alarm(0);
    close($output);
    $result = eval { read_json($json) };
    return fail($event, 'iperf3 did not end in time') if !defined $result;
    last if !defined $result->{error} || server_time() > $event->{begin} + $gap / 2;
    select(undef, undef, undef, 0.25);
  }
  if (defined(my $error = $result->{error})) {
    # Each iperf3 serves one test at a time. Runs use the same ports, so that no two of them test between the same slivers at once.
    $error = 'another run measures throughput between these slivers at the same time: start this one again when that one has ended' if $error =~ /busy/;
    return fail($event, $error);
  }
  for my $interval (@{$result->{intervals}}) {
    my $sum = $interval->{sum};
    my $more = defined $sum->{retransmits} ? " retransmits=$sum->{retransmits}" : '';
    put(sprintf('throughput peer="%s" start_s=%.3f length_s=%.3f sent_bytes=%.0f bytes_per_second=%.0f%s', $peer->{name}, $sum->{start}, $sum->{seconds}, $sum->{bytes}, $sum->{bytes} / ($sum->{seconds} || 1), $more));
  }
  my $end = $result->{end};
  my $line = qq(throughput_test peer="$peer->{name}" protocol=$option{protocol} began_at_s=$result->{start}{timestamp}{timesecs});
  if ($option{protocol} eq 'udp') {
    # The sum is what the receiver has counted; bytes are the sender's.
    my $sum = $end->{sum};
    my $ratio = $sum->{packets} > 0 ? 1 - $sum->{lost_packets} / $sum->{packets} : 0;
    $line .= sprintf(' length_s=%.3f sent_bytes=%.0f received_bytes=%.0f bytes_per_second=%.0f packets=%d lost=%d jitter_s=%.6f', $sum->{seconds}, $sum->{bytes}, $sum->{bytes} * $ratio,
      $sum->{bytes} * $ratio / ($sum->{seconds} || 1), $sum->{packets}, $sum->{lost_packets}, $sum->{jitter_ms} / 1000);
  } else {
    my ($sent, $got) = ($end->{sum_sent}, $end->{sum_received});
    $line .= sprintf(' length_s=%.3f sent_bytes=%.0f received_bytes=%.0f bytes_per_second=%.0f retransmits=%d', $got->{seconds}, $sent->{bytes}, $got->{bytes}, $got->{bytes} / ($got->{seconds} || 1), $sent->{retransmits} // 0);
  }
  put($line);
  flush_lines();
  return 0;
}
sub fail {
  my ($event, $error) = @_;
  $error =~ s/["\\\n]/ /g;
  put(sprintf('throughput_test peer="%s" protocol=%s error="%s"', $event->{peer}{name}, $option{protocol}, substr($error, 0, 200)));
  flush_lines();
  print STDERR "to $event->{peer}{name}: $error\n";
  return 1;
}
# The JSON of a program. perl-base has no module for it. Dies of what is none.
sub read_json {
  my ($json) = @_;
  my %words = (true => 1, false => 0, null => undef);
  my $value;
  $value = sub {
    $json =~ /\G\s*/gc;
    if ($json =~ /\G\{/gc) {
      my %object;
      until ($json =~ /\G\s*\}/gc) {
        $json =~ /\G\s*,?\s*"((?:[^"\\]|\\.)*)"\s*:/gc or die "no JSON\n";
        my $key = $1;
        $object{$key} = $value->();
      }
      return \%object;
    }
    if ($json =~ /\G\[/gc) {
      my @list;
      until ($json =~ /\G\s*\]/gc) { $json =~ /\G\s*,/gc; push(@list, $value->()) }
      return \@list;
    }
    return $1 if $json =~ /\G"((?:[^"\\]|\\.)*)"/gc;
    return $1 if $json =~ /\G(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)/gc;
    return $words{$1} if $json =~ /\G(true|false|null)/gc;
    die "no JSON\n";
  };
  return $value->();
}
`
