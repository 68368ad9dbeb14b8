import { prober } from './prober.ts'

/**
 * The program that captures packets of the sliver's own interfaces into a file of the format pcap, and writes what they were, by second and protocol. It needs no libpcap, which
 * reserves memory of the kernel that slivers may not have (rings). Packets wait in the socket's memory; what the kernel drops because this program is too slow is counted.
 *
 * Settings: `for_ns`, `most_bytes` (of the file), `most_packets`, `snap` (bytes of a packet that are kept), `interface` (or `any` own one but lo), `protocol` (or `all`), `file`.
 *
 * Sources: packet(7); pcap-savefile(5); RFC 8200 (extension headers).
 */
export const captureProgram = String.raw`${prober}
my ($for, $most_bytes, $most_packets, $snap, $protocol, $path) = @option{qw(for_ns most_bytes most_packets snap protocol file)};
open(my $list, '<', '/proc/net/dev') or die "/proc/net/dev: $!\n";
my @interfaces = sort grep { $option{interface} eq 'any' ? $_ ne 'lo' : $_ eq $option{interface} } map { /^\s*([^\s:]+):/ ? $1 : () } <$list>;
close($list);
die "this sliver has no interface $option{interface}\n" if !@interfaces;
my @sockets;
for my $name (@interfaces) {
  # AF_PACKET, SOCK_RAW, ETH_P_ALL; SIOCGIFINDEX.
  socket(my $socket, 17, 3, 0) or die "a packet socket: $!\n";
  my $request = pack('Z16 x24', $name);
  ioctl($socket, 0x8933, $request) or die "$name: $!\n";
  setsockopt($socket, 1, 35, pack('i', 1)) or die "time of packets: $!\n";
  setsockopt($socket, SOL_SOCKET, SO_RCVBUF, pack('i', 1 << 22));
  bind($socket, pack('S n l x12', 17, 3, unpack('x16 l', $request))) or die "$name: $!\n";
  push(@sockets, $socket);
}
open(my $file, '>:raw', $path) or die "$path: $!\n";
# The magic number of times in nanoseconds; Ethernet.
print $file pack('L S2 l L3', 0xa1b23c4d, 2, 4, 0, 0, $snap, 1);
tool('community-lab capture', '1');
flush_lines();
my %names = (1 => 'icmp', 6 => 'tcp', 17 => 'udp', 58 => 'icmp6', 132 => 'sctp');
# The protocol of a frame, beyond tags of VLANs and headers of IPv6 that come before it.
sub protocol_of {
  my ($frame) = @_;
  my ($type, $at) = (unpack('x12 n', $frame), 14);
  while (($type == 0x8100 || $type == 0x88a8) && length($frame) >= $at + 4) { $type = unpack('n', substr($frame, $at + 2, 2)); $at += 4 }
  return 'arp' if $type == 0x0806;
  return 'other' if length($frame) < $at + 20;
  return $names{unpack('C', substr($frame, $at + 9, 1))} // 'other' if $type == 0x0800;
  return 'other' if $type != 0x86dd || length($frame) < $at + 40;
  my $next = unpack('C', substr($frame, $at + 6, 1));
  $at += 40;
  while (($next == 0 || $next == 43 || $next == 44 || $next == 60) && length($frame) >= $at + 8) {
    my ($after, $length) = unpack('C2', substr($frame, $at, 2));
    $at += $next == 44 ? 8 : 8 * ($length + 1);
    $next = $after;
  }
  return $names{$next} // 'other';
}
my ($written, $packets, $why, $second, %sums) = (24, 0, 'time', undef);
my $end = now(1) + $for;
sub tell_second {
  for my $name (sort keys %sums) { put("capture at_s=$second protocol=$name packets=$sums{$name}[0] frame_bytes=$sums{$name}[1]") }
  %sums = ();
  flush_lines();
}
CAPTURE: while (!$stop) {
  my $is_idle = 1;
  for my $socket (@sockets) {
    # In turn, so that a busy interface does not keep the others from being read.
    for (1 .. 64) {
      my ($frame, undef, $time) = receive($socket);
      last if !defined $frame;
      $is_idle = 0;
      my $kind = protocol_of($frame);
      next if $protocol ne 'all' && $kind ne $protocol;
      my $kept = length($frame) < $snap ? length($frame) : $snap;
      if ($written + 16 + $kept > $most_bytes) { $why = 'bytes'; last CAPTURE }
      my $ns = $time % 1_000_000_000;
      my $now = ($time - $ns) / 1_000_000_000;
      tell_second() if defined $second && $now > $second;
      $second = $now if !defined $second || $now > $second;
      print $file pack('L4', $now, $ns, $kept, length($frame)), substr($frame, 0, $kept);
      $written += 16 + $kept;
      $sums{$kind}[0]++;
      $sums{$kind}[1] += length($frame);
      if (++$packets >= $most_packets) { $why = 'packets'; last CAPTURE }
    }
  }
  my $now = now(1);
  last if $now >= $end;
  next if !$is_idle;
  # A second that is over is told also when no packet follows it.
  tell_second() if defined $second && now(0) / 1e9 > $second + 2;
  wait_until($end < $now + 1e9 ? $end : $now + 1e9, @sockets);
}
$why = 'stopped' if $stop;
close($file) or die "$path: $!\n";
tell_second() if defined $second;
my $dropped = 0;
for my $socket (@sockets) {
  # SOL_PACKET, PACKET_STATISTICS: packets and drops.
  my $counts = getsockopt($socket, 263, 6);
  $dropped += (unpack('L2', $counts))[1] if defined $counts;
}
put("capture_end packets=$packets file_bytes=$written dropped=$dropped reason=$why");
flush_lines();
exit($stop ? 143 : 0);
`
