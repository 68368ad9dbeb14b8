import { prober } from './prober.ts'

/**
 * The program that measures round trips from one sliver to many at the same time, by ICMPv6 echo. Its memory does not grow with time: what is known of a peer is a bit for each of
 * the latest 65,536 probes. The time of each probe travels with it, as ping's does; its answer is timed by the kernel. A clock that is set meanwhile does not change what was
 * measured: the difference between the two clocks travels too.
 *
 * Probes to several peers are spread over the time between two probes, and those of several slivers too, so that they do not meet at one link.
 *
 * Settings: `every_ns`, `patience_ns`, `count`, `bytes` (of payload); lines `from` and `to` of slivers. No sliver probes itself.
 *
 * Sources: RFC 2681, round-trip delay for IPPM; RFC 6673, round-trip packet loss; RFC 4443, 4.1 and 4.2, echo.
 */
export const rttProgram = String.raw`${prober}
my ($every, $patience, $count, $bytes) = @option{qw(every_ns patience_ns count bytes)};
my (@peers, $rank, $sources);
$sources = 0;
for (@lines) {
  my ($what, $id, $name, $host) = @$_;
  if ($what eq 'from') { $rank = $sources if $id eq $own; $sources++; next }
  next if $id eq $own;
  my $address = address($host);
  push(@peers, {index => scalar @peers, name => $name, address => $address, to => pack_sockaddr_in6(0, $address), given => 0, last => 0, seen => '',
    map { $_ => 0 } qw(sent unsent received lost late duplicate)});
}
$rank //= 0;
socket(my $socket, AF_INET6, SOCK_RAW, 58) or die "a socket of ICMPv6: $!\n";
prepare($socket);
# Of ICMPv6, only answers to echo are received. Source: RFC 3542, 3.2.
my $filter = pack('L8', map { $_ == 4 ? 0xfffffffd : 0xffffffff } 0 .. 7);
setsockopt($socket, 58, 1, $filter) or die "the filter of ICMPv6: $!\n";
open(my $random, '<', '/dev/urandom') or die "/dev/urandom: $!\n";
read($random, my $cookie, 8);
close($random);
my $id = unpack('n', $cookie);
my $padding = "\0" x ($bytes > 40 ? $bytes - 40 : 0);
my ($ring, $n) = (65536, scalar @peers);
tool('community-lab round-trip', '1');
sub lose {
  my ($peer, $seq) = @_;
  $peer->{lost}++;
  put("rtt lost=true seq_no=$seq peer=\"$peer->{name}\"");
}
sub send_probe {
  my ($peer, $seq) = @_;
  vec($peer->{seen}, $seq % $ring, 1) = 0;
  my $time = now(0);
  my $payload = $cookie . pack('q3', $seq, $time, $time - now(1)) . pack('q', $peer->{index}) . $padding;
  my $echo = pack('C2 n3', 128, 0, 0, $id, $seq & 0xffff) . $payload;
  if (defined send($socket, $echo, 0, $peer->{to})) { $peer->{sent}++; return }
  print STDERR "to $peer->{name}: $!\n" if !$peer->{unsent}++;
}
sub take {
  my ($data, $from, $got, $hops) = @_;
  return if length($data) < 48 || substr($data, 8, 8) ne $cookie;
  my ($seq, $time, $difference, $index) = unpack('q4', substr($data, 16, 32));
  my $peer = $peers[$index];
  return if !defined $peer || $from ne $peer->{address};
  return if $seq > $peer->{last} || $seq <= $peer->{last} - $ring;
  my $rtt = $got - $time - (now(0) - now(1) - $difference);
  my ($more, $is_seen) = ('', vec($peer->{seen}, $seq % $ring, 1));
  vec($peer->{seen}, $seq % $ring, 1) = 1;
  if ($is_seen) { $peer->{duplicate}++; $more = ' duplicate=true' }
  elsif ($seq <= $peer->{given} || $rtt > $patience) {
    lose($peer, $seq) if $seq > $peer->{given};
    $peer->{late}++; $more = ' late=true';
  } else { $peer->{received}++ }
  my $ttl = defined $hops ? " ttl=$hops" : '';
  put(sprintf('rtt rtt_s=%.6f lost=false seq_no=%d%s%s peer="%s"', $rtt / 1e9, $seq, $ttl, $more, $peer->{name}));
}
# The probes of all peers are one series: probe K is number int(K / N) + 1 of peer K mod N. In the same order, they are given up.
my $begin = now(1) + $every * $rank / (($sources || 1) * $n);
my ($next, $total, @waiting) = (0, $count * $n);
until ($stop || $next == $total && !@waiting) {
  while (my @packet = receive($socket)) { take(@packet) }
  my $now = now(1);
  while (@waiting && $waiting[0][0] <= $now) {
    my (undef, $peer, $seq) = @{shift @waiting};
    $peer->{given} = $seq;
    lose($peer, $seq) if !vec($peer->{seen}, $seq % $ring, 1);
  }
  my $due = $next == $total ? undef : $begin + $every * $next / $n;
  if (defined $due && $due <= $now) {
    # After a pause, as of a suspended host, the series goes on. It does not catch up.
    $begin += $now - $due if $now - $due > $every;
    my ($peer, $seq) = ($peers[$next % $n], int($next / $n) + 1);
    $peer->{last} = $seq;
    send_probe($peer, $seq);
    push(@waiting, [now(1) + $patience, $peer, $seq]);
    $next++;
    next;
  }
  # What has been answered is not waited for.
  shift @waiting while @waiting && $waiting[0][2] > $waiting[0][1]{given} && vec($waiting[0][1]{seen}, $waiting[0][2] % $ring, 1) && ($waiting[0][1]{given} = $waiting[0][2]);
  last if $next == $total && !@waiting;
  my $until = @waiting && (!defined $due || $waiting[0][0] < $due) ? $waiting[0][0] : $due;
  wait_until($until, $socket);
}
for my $peer (@peers) { put("rtt_count peer=\"$peer->{name}\" " . join(' ', map { "$_=$peer->{$_}" } qw(sent unsent received lost late duplicate))) }
flush_lines();
exit(143) if $stop;
exit((grep { $_->{sent} == 0 } @peers) ? 1 : 0);
`
