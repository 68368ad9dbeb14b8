import { prober } from './prober.ts'

/**
 * The program that traces paths with traceroute, target after target, again and again. All probes of a run carry one flow label, so that routers that choose between paths of the same length
 * choose the same one (Paris traceroute, for IPv6). Each hop is probed several times in a round, so it has a loss.
 *
 * Settings: `every_s`, `rounds`, `probes` (of a hop in a round), `hops` (the most), `flow_label`, lines `to` of slivers, lines `node` with a name, the address of its router and the /64 prefix of its slivers, `-` for what is not known.
 *
 * Sources: Augustin et al., "Avoiding traceroute anomalies with Paris traceroute", IMC 2006; RFC 6437 (flow label), RFC 6438 (its use by routers); traceroute(8).
 */
export const pathProgram = String.raw`${prober}
my ($every, $rounds, $probes, $hops, $label) = @option{qw(every_s rounds probes hops flow_label)};
# busybox has a traceroute too, without flow labels.
my ($traceroute, $version);
for (map { "$_/traceroute" } split(/:/, $ENV{PATH} // '/usr/bin')) {
  next if !-x;
  my ($words) = qx($_ --version 2>&1) =~ /Modern traceroute for Linux, version (\S+)/ or next;
  ($traceroute, $version) = ($_, $words);
  last;
}
if (!defined $traceroute) { print STDERR "this template has no Debian traceroute: install the package traceroute, or use the template tiny\n"; exit(127) }
tool('traceroute', $version);
my @targets = grep { $_->[0] eq 'to' && $_->[1] ne $own } @lines;
my (%routers, %prefixes);
for (grep { $_->[0] eq 'node' } @lines) {
  my (undef, $name, $router, $prefix) = @$_;
  $routers{inet_pton(AF_INET6, $router) // ''} = $name;
  $prefixes{substr(inet_pton(AF_INET6, $prefix) // '', 0, 8)} = $name;
}
sub node_of {
  my $address = inet_pton(AF_INET6, $_[0]) // return;
  return $routers{$address} // $prefixes{substr($address, 0, 8)};
}
my (%before, %reached);
my $begin = now(1);
ROUND: for my $round (1 .. $rounds) {
  for my $target (@targets) {
    my (undef, undef, $name, $address) = @$target;
    trace($round, $name, $address);
    last ROUND if $stop;
  }
  my $next = $begin + $round * $every * 1e9;
  # After a pause the series goes on. It does not catch up.
  $begin += now(1) - $next if now(1) - $next > $every * 1e9;
  while ($round < $rounds && !$stop && now(1) < $next) { wait_until($next) }
}
flush_lines();
exit(143) if $stop;
exit((grep { !$reached{$_->[2]} } @targets) ? 1 : 0);

sub trace {
  my ($round, $name, $address) = @_;
  my @words = ($traceroute, '-6', '-n', '-I', '-q', $probes, '-m', $hops, '-N', 16, '-w', 2, '-l', $label, $address);
  open(my $output, '-|', @words) or die "traceroute: $!\n";
  my ($is_reached, @path) = (0);
  while (<$output>) {
    my ($ttl, $rest) = /^\s*(\d+)\s+(.*)$/ or next;
    # An address stands before the times of its answers. Several addresses at one hop: the path has changed meanwhile, or a router does not heed flow labels.
    my ($from, %times, @order) = ('');
    for (split(' ', $rest =~ s/ ms//gr)) {
      if (/^[0-9a-f:]*:[0-9a-f:.]*$/i) { $from = $_; push(@order, $_) if !$times{$_}; $times{$_} //= [] }
      elsif (/^[0-9.]+$/ && $from ne '') { push(@{$times{$from}}, $_) }
    }
    my $answered = 0;
    $answered += @{$times{$_}} for @order;
    my $lost = $probes - $answered;
    for my $one (@order) {
      my @sorted = sort { $a <=> $b } @{$times{$one}};
      my $node = node_of($one);
      my $named = defined $node ? qq( hop_node="$node") : '';
      put(sprintf('path_hop peer="%s" round=%d ttl=%d address="%s"' . $named . ' received=%d lost=%d rtt_s=%.6f', $name, $round, $ttl, $one, scalar @sorted, $lost, $sorted[0] / 1000)) if @sorted;
      # So the sum over rows is the number of probes.
      $lost = 0 if @sorted;
    }
    put(qq(path_hop peer="$name" round=$round ttl=$ttl received=0 lost=$lost)) if !@order;
    push(@path, @order ? join('|', @order) : '*');
    $is_reached = 1 if grep { inet_pton(AF_INET6, $_) eq inet_pton(AF_INET6, $address) } @order;
  }
  close($output);
  # Hops beyond the last answer say nothing.
  pop(@path) while @path && $path[-1] eq '*';
  my $path = join(' ', @path);
  my $changed = defined $before{$name} && $before{$name} ne $path ? 'true' : 'false';
  $before{$name} = $path;
  $reached{$name} ||= $is_reached;
  my $words = $is_reached ? 'true' : 'false';
  # A node at the end answers twice: as a router, and as the sliver on it.
  my @nodes;
  for my $hop (@path) {
    my $node = join('|', map { node_of($_) // $_ } split(/\|/, $hop));
    push(@nodes, $node) if !@nodes || $nodes[-1] ne $node;
  }
  put(sprintf('path peer="%s" round=%d hops=%d reached=%s changed=%s addresses="%s" nodes="%s"', $name, $round, scalar @path, $words, $changed, $path, join(' ', @nodes)));
  flush_lines();
}
`
