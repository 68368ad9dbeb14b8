import { prober } from './prober.ts'

/**
 * The program that sends numbered packets to slivers and receives those of others. One program does both, so a pair can measure both directions at the same time. The receiver
 * knows the interval, so it gives up a packet when it should have come, also when none comes any more. At its end a sender says how many it has sent.
 *
 * OWAMP (RFC 4656) has its own control protocol, for hosts that do not trust each other, and no package of Debian. Here the run is what both ends agree on. A packet
 * contains the same: a number, the time of sending, padding; and what proves that it is of this run.
 *
 * Settings: `every_ns`, `patience_ns`, `count`, `bytes` (of payload), `lead_ns` (receivers are up when it has passed), lines `from` and `to` of slivers.
 *
 * Sources: RFC 7679 (one-way delay), RFC 7680 (one-way loss), RFC 4737 (reordering: a number smaller than one that came before), RFC 5560 (duplicates).
 */
export const oneWayProgram = String.raw`${prober}
my ($every, $patience, $count, $bytes, $lead) = @option{qw(every_ns patience_ns count bytes lead_ns)};
my ($ring, @senders, @peers, @sources, $rank, $is_target) = (65536);
for (@lines) {
  my ($what, $id, $name, $host) = @$_;
  if ($what eq 'from') {
    my $sender = {id => $id, name => $name, address => address($host)};
    $rank = @senders if $id eq $own;
    push(@senders, $sender);
  }
  elsif ($id eq $own) { $is_target = 1 }
  else { push(@peers, {name => $name, address => address($host), sent => 0, unsent => 0}) }
}
@peers = () if !defined $rank;
@sources = grep { $_->{id} ne $own } @senders if $is_target;
my ($secret) = $run =~ /([0-9a-f]{12})$/;
die "the run $run has no id of the testbed\n" if !defined $secret;
my $cookie = pack('H12 n', $secret, 0x0a11);
# Runs at the same time have other ports, with all likelihood.
my $port = 20000 + unpack('N', substr($cookie, 2, 4)) % 20000;
socket(my $socket, AF_INET6, SOCK_DGRAM, 17) or die "a socket: $!\n";
prepare($socket);
bind($socket, pack_sockaddr_in6($port, "\0" x 16)) or die "UDP port $port: $! (another measurement has it; start this one again)\n";
$_->{to} = pack_sockaddr_in6($port, $_->{address}) for @peers;
tool('community-lab one-way', '1');
for (@sources) { my $source = $_; $source->{$_} = 0 for qw(highest given received lost late duplicate reordered); $source->{seen} = '' }
my $padding = "\0" x ($bytes > 32 ? $bytes - 32 : 0);
# What a packet says of its number: 0 for a packet, 1 for how many there were.
sub send_packet {
  my ($peer, $kind, $seq) = @_;
  return defined send($socket, pack('a8 q3', $cookie, $kind << 16 | $rank, $seq, now(0)) . $padding, 0, $peer->{to});
}
sub lose {
  my ($source, $to) = @_;
  my $rows = 0;
  while ($source->{given} < $to) {
    my $seq = ++$source->{given};
    if ($seq > $source->{highest}) { vec($source->{seen}, $seq % $ring, 1) = 0 }
    elsif (vec($source->{seen}, $seq % $ring, 1)) { next }
    $source->{lost}++;
    put("one_way lost=true seq_no=$seq source=\"$source->{name}\"");
    # No faster than a node takes them.
    if (++$rows % 500 == 0) { flush_lines(); select(undef, undef, undef, 0.25) }
  }
  $source->{highest} = $source->{given} if $source->{highest} < $source->{given};
}
sub take {
  my ($data, $from, $got, $hops) = @_;
  return if length($data) < 32 || substr($data, 0, 8) ne $cookie;
  my ($what, $seq, $time) = unpack('x8 q3', $data);
  my $source = $senders[$what & 0xffff];
  return if !defined $source || $source->{id} eq $own || $from ne $source->{address};
  return if !$is_target || $seq < 0 || $seq > $count;
  if ($what >> 16 == 1) { $source->{total} //= $seq; $source->{end} //= now(1) + $patience; return }
  return if $seq <= $source->{highest} - $ring || $seq == 0;
  # When the packet that comes before the first one would have come.
  my $base = now(1) - $every * $seq;
  $source->{base} = $base if $seq > $source->{highest} || !defined $source->{base};
  my $more = '';
  # Those between may still come. Those before the ring cannot be told apart any more.
  lose($source, $seq - $ring) if $source->{given} < $seq - $ring;
  for (my $between = $source->{highest} + 1; $between < $seq; $between++) { vec($source->{seen}, $between % $ring, 1) = 0 }
  if ($seq > $source->{highest}) { $source->{highest} = $seq; $source->{last_came} = $seq; $source->{received}++ }
  elsif (vec($source->{seen}, $seq % $ring, 1)) { $source->{duplicate}++; $more = ' duplicate=true' }
  else {
    if ($seq <= $source->{given}) { $source->{late}++; $more = ' late=true' } else { $source->{received}++ }
    if ($seq < ($source->{last_came} // 0)) { $source->{reordered}++; $more .= ' reordered=true' } else { $source->{last_came} = $seq }
  }
  vec($source->{seen}, $seq % $ring, 1) = 1;
  put(sprintf('one_way delay_s=%.9f sent_at_s=%.6f lost=false seq_no=%d%s%s source="%s"', ($got - $time) / 1e9, $time / 1e9, $seq, defined $hops ? " ttl=$hops" : '', $more, $source->{name}));
}
# The columns of the clock in these rows tell how the clock of the sender was.
sub tell_sent { put("one_way_sent peer=\"$_->{name}\" sent=$_->{sent} unsent=$_->{unsent}") for @peers }
my $started = now(1);
my $n = @peers || 1;
my $begin = $started + $lead + $every * ($rank // 0) / ((@senders || 1) * $n);
my ($next, $total, $said, $say) = (0, $count * @peers, @peers ? 0 : 5, undef);
# Who has not heard how many there were waits a little longer than everybody should need.
my $deadline = $started + 2 * $lead + $every * $count + $patience + 5e9;
my $tell = $started;
until ($stop) {
  while (my @packet = receive($socket)) { take(@packet) }
  my $now = now(1);
  my $until = $deadline;
  for my $source (@sources) {
    next if $source->{complete};
    if (defined $source->{end} && $source->{end} <= $now || $now >= $deadline) {
      lose($source, $source->{total} // ($source->{received} > 0 ? $source->{highest} : 0));
      $source->{complete} = 1;
      next;
    }
    $until = $source->{end} if defined $source->{end} && $source->{end} < $until;
    next if !defined $source->{base};
    # The number of the packet that should have come that long ago.
    my $due = int(($now - $patience - $source->{base}) / $every);
    my $most = $source->{total} // $count;
    $due = $most if $due > $most;
    lose($source, $due) if $due > $source->{given};
    my $later = $source->{base} + $patience + $every * ($source->{given} + 1);
    $until = $later if $source->{given} < $most && $later < $until;
  }
  if (@peers && $now >= $tell) { tell_sent(); $tell = $now + 10e9 }
  $until = $tell if @peers && $tell < $until;
  if ($next < $total) {
    my $due = $begin + $every * $next / $n;
    if ($due <= $now) {
      $begin += $now - $due if $now - $due > $every;
      my $peer = $peers[$next % $n];
      if (send_packet($peer, 0, int($next / $n) + 1)) { $peer->{sent}++ }
      else { print STDERR "to $peer->{name}: $!\n" if !$peer->{unsent}++ }
      $next++;
      next;
    }
    $until = $due if $due < $until;
  } elsif ($said < 5) {
    # Five times, because one may be lost.
    $say //= $now + $every;
    if ($say <= $now) { send_packet($_, 1, $count) for @peers; $said++; $say = $now + 100e6 }
    $until = $say if $say < $until;
  }
  last if $next == $total && $said == 5 && !grep { !$_->{complete} } @sources;
  wait_until($until, $socket);
}
if ($stop && $said < 5) { send_packet($_, 1, int($next / $n)) for @peers }
tell_sent();
for my $source (@sources) {
  my $is_whole = defined $source->{total} ? 'true' : 'false';
  put("one_way_count source=\"$source->{name}\" is_whole=$is_whole " . join(' ', map { "$_=$source->{$_}" } qw(received lost late duplicate reordered)));
}
flush_lines();
exit(143) if $stop;
exit((grep { $_->{sent} == 0 } @peers) ? 1 : 0);
`
