/**
 * The first part of the perl programs that measure in slivers. Perl is in every Debian, also the smallest, and in the template tiny. It can open sockets and call
 * the kernel, which busybox's shell and awk cannot, and needs no compiler.
 *
 * - `%option` and `@lines`: what the first argument sets, a line each: `name=value`, and others by their words, such as `peer 3@2 n2 fd77::1`. `$own` is the id of this sliver.
 * - `now(0)` is the time of day, `now(1)` a clock that nobody sets; both in nanoseconds.
 * - `put` writes a sample, `flush_lines` sends what was put. Writes have at most PIPE_BUF bytes and end with a line, so the kernel does not mix them with those of others.
 * - `receive` returns a packet: its bytes, its sender's address, when the kernel got it (time of day, nanoseconds) and its hop limit. So a program that has to wait for a
 *   processor measures as exactly as one that has not. Empty: there is none.
 *
 * Source: Linux, recvmsg(2), socket(7) SO_TIMESTAMPNS, ipv6(7) IPV6_RECVHOPLIMIT; the numbers of system calls by architecture are those of unistd.h. On an
 * architecture that is not listed, hop limits are left out and the time is taken after the packet was read.
 */
export const prober = String.raw`#!/usr/bin/perl
use strict; use warnings;
use Socket qw(:DEFAULT inet_pton inet_ntop pack_sockaddr_in6 unpack_sockaddr_in6 AF_INET6);
use POSIX ();
my $run = $ENV{COMMUNITY_LAB_RUN} // '';
my $own = $ENV{COMMUNITY_LAB_SLIVER} // '';
my $fifo_path = $ENV{COMMUNITY_LAB_MEASURE} // '/run/community-lab/measure';
my (%option, @lines);
for (split(/\n/, $ARGV[0] // '')) {
  if (/^(\w+)=(.*)$/) { $option{$1} = $2 } else { push(@lines, [split(' ')]) }
}
my $stop = 0;
$SIG{TERM} = $SIG{INT} = sub { $stop = 1 };
$SIG{PIPE} = 'IGNORE';
my %calls = (x86_64 => [228, 47], i386 => [265, 372], i486 => [265, 372], i586 => [265, 372], i686 => [265, 372], aarch64 => [113, 212], riscv64 => [113, 212], loongarch64 => [113, 212],
  armv6l => [263, 297], armv7l => [263, 297], armv8l => [263, 297], ppc64le => [246, 342], s390x => [260, 372]);
my ($clock_gettime, $recvmsg) = @{$calls{(POSIX::uname())[4]} // []};
# A program of 32 bits on a kernel of 64 bits has the numbers of 32 bits.
if (length(pack('L!', 0)) == 4 && ($clock_gettime // 0) == 228) { ($clock_gettime, $recvmsg) = (265, 372) }
if (length(pack('L!', 0)) == 4 && ($clock_gettime // 0) == 113) { ($clock_gettime, $recvmsg) = (263, 297) }
sub room { my $bytes = ''; vec($bytes, $_[0] - 1, 8) = 0; return $bytes }
my $clock_room = room(2 * length(pack('l!', 0)));
sub now {
  return time() * 1_000_000_000 if !defined $clock_gettime;
  syscall($clock_gettime, $_[0], $clock_room);
  my ($s, $ns) = unpack('l!2', $clock_room);
  return $s * 1_000_000_000 + $ns;
}
my ($fifo, $text) = (undef, '');
sub flush_lines {
  while ($text ne '') {
    my $bytes = length($text) <= 4096 ? length($text) : rindex($text, "\n", 4095) + 1;
    $bytes = index($text, "\n") + 1 if $bytes == 0;
    # This waits until somebody reads.
    if (!defined $fifo && !open($fifo, '>>', $fifo_path)) {
      if ($!{EINTR}) { next }
      die "$fifo_path: $!\n";
    }
    my $written = syswrite($fifo, $text, $bytes);
    if (defined $written) { substr($text, 0, $written, ''); next }
    next if $!{EINTR};
    die "$fifo_path: $!\n" if !$!{EPIPE};
    close($fifo); undef $fifo;
  }
}
sub put { $text .= "$_[0] run=\"$run\"\n"; flush_lines() if length($text) > 3500 }
sub tool { put(qq(tool tool="$_[0]" version="$_[1]")) }
my ($data_room, $name_room, $control_room) = (room(65536), room(28), room(256));
sub receive {
  my ($socket) = @_;
  if (!defined $recvmsg) {
    my $from = recv($socket, my $data, 65535, MSG_DONTWAIT);
    return if !defined $from;
    return ($data, length($from) == 28 ? (unpack_sockaddr_in6($from))[1] : undef, now(0), undef);
  }
  my $pointer = sub { unpack('L!', pack('p', $_[0])) };
  my $vector = pack('L!2', $pointer->($data_room), 65536);
  my $message = pack('L! I x![L!] L!4 i x![L!]', $pointer->($name_room), 28, $pointer->($vector), 1, $pointer->($control_room), 256, 0);
  my $bytes = syscall($recvmsg, fileno($socket), $message, MSG_DONTWAIT);
  return if $bytes < 0;
  my $controls = (unpack('L! I x![L!] L!4', $message))[5];
  my ($time, $hops, $at, $word) = (undef, undef, 0, length(pack('L!', 0)));
  while ($at + $word + 8 <= $controls) {
    my ($length, $level, $type) = unpack('L! i i', substr($control_room, $at, $word + 8));
    last if $length < $word + 8;
    my $value = substr($control_room, $at + $word + 8, $length - $word - 8);
    if ($level == 1 && $type == 35) { my ($s, $ns) = unpack('l!2', $value); $time = $s * 1_000_000_000 + $ns }
    if ($level == 41 && $type == 52) { $hops = unpack('i', $value) }
    $at += ($length + $word - 1) & ~($word - 1);
  }
  my $name = substr($name_room, 0, 28);
  my $from = unpack('S', $name) == AF_INET6 ? (unpack_sockaddr_in6($name))[1] : undef;
  return (substr($data_room, 0, $bytes), $from, $time // now(0), $hops);
}
sub prepare {
  my ($socket) = @_;
  setsockopt($socket, 1, 35, pack('i', 1));
  setsockopt($socket, 41, 51, pack('i', 1));
  # What is longer than the default is cut by the kernel to what the host allows.
  setsockopt($socket, SOL_SOCKET, SO_RCVBUF, pack('i', 1 << 20));
}
sub address { return inet_pton(AF_INET6, $_[0]) // die "$_[0] is no IPv6 address\n" }
# Wait until one of the sockets has a packet, or until a time of the clock that nobody sets.
sub wait_until {
  my ($time, @sockets) = @_;
  flush_lines();
  my $read = '';
  vec($read, fileno($_), 1) = 1 for @sockets;
  my $left = ($time - now(1)) / 1e9;
  select($read, undef, undef, $left > 0 ? $left : 0);
}
`

/** Return the settings of a program, as its first argument. */
export function settings(
  options: Readonly<Record<string, string | number>>,
  lines: readonly (readonly (string | number)[])[] = [],
): string {
  const set = Object.entries(options).map(([name, value]) => `${name}=${value}`)
  return [...set, ...lines.map((words) => words.join(' '))].join('\n')
}

/** A sliver, as programs know it: its id, the name of its node, its address. */
export interface End {
  readonly id: string
  readonly node: string
  readonly address: string
}

/** Return the line of a sliver in {@link settings}. */
export function endLine(what: string, { id, node, address }: End): readonly string[] {
  return [what, id, node, address]
}
