import { series } from './series.ts'

/**
 * The program that asks a DNS server and times its answers. A query is one of UDP with EDNS; an answer that did not fit is asked for again over TCP, as resolvers do. Each query has a port and a
 * number of its own, and only an answer with both and the same question counts.
 *
 * Settings: `every_ns`, `patience_ns`, `count`, `domain`, `type`, `server` (an address; empty: the first one of the sliver's /etc/resolv.conf), `port`; lines `from` of slivers.
 *
 * Sources: RFC 1035 (messages, compression, TCP), RFC 7766 (TCP), RFC 6891 (EDNS; 1232 bytes are those of DNS Flag Day 2020), RFC 3597 (types without a form of their own), IANA's list of DNS parameters.
 */
export const dnsProgram = String.raw`${series}
my ($every, $patience, $count, $domain, $type, $server, $port) = @option{qw(every_ns patience_ns count domain type server port)};
my %types = (A => 1, NS => 2, CNAME => 5, SOA => 6, PTR => 12, MX => 15, TXT => 16, AAAA => 28, SRV => 33);
my %names_of_types = reverse %types;
my @rcodes = qw(NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE);
my @sources = map { $_->[1] } grep { $_->[0] eq 'from' } @lines;
my ($rank) = grep { $sources[$_] eq $own } 0 .. $#sources;
if ($server eq '') {
  open(my $file, '<', '/etc/resolv.conf') or die "/etc/resolv.conf: $! (the option server names one)\n";
  while (<$file>) { if (/^\s*nameserver\s+(\S+)/) { $server = $1; last } }
  die "/etc/resolv.conf has no nameserver (the option server names one)\n" if $server eq '';
}
my ($error, $found) = Socket::getaddrinfo($server, $port, {flags => Socket::AI_NUMERICHOST(), socktype => SOCK_DGRAM});
die "the DNS server $server: $error\n" if $error;
my $to = $found->{addr};
open(my $random, '<', '/dev/urandom') or die "/dev/urandom: $!\n";
tool('community-lab dns', '1');
my $labels = join('', map { pack('C/a', $_) } grep { $_ ne '' } split(/\./, $domain)) . "\0";
my $question = $labels . pack('n2', $types{$type}, 1);

sub ask {
  my $begin = now(1);
  my $deadline = $begin + $patience;
  report(failure('udp', 'no answer in time'));
  my ($over, $answer, $end) = ('udp');
  my $is_there = eval {
    sysread($random, my $bytes, 2) == 2 or die "/dev/urandom: $!\n";
    my $id = unpack('n', $bytes);
    # Recursion desired; one question, and one further record: OPT.
    my $query = pack('n6', $id, 0x0100, 1, 0, 0, 1) . $question . pack('C n2 N n', 0, 41, 1232, 0, 0);
    ($answer, $end) = ask_udp($query, $deadline);
    if (unpack('x2 n', $answer) & 0x0200) { $over = 'tcp'; ($answer, $end) = ask_tcp($query, $deadline) }
    1;
  };
  my $why = $@;
  chomp($why);
  return report(failure($over, $why)) if !$is_there;
  my $told = eval { describe($answer) };
  return report(failure('answer', 'the answer is no message of DNS')) if !defined $told;
  report(sprintf('lost=false over=%s response_s=%.6f answer_bytes=%d %s', $over, ($end - $begin) / 1e9, length($answer), $told));
}
sub is_answer {
  my ($answer, $query) = @_;
  return 0 if length($answer) < 12 + length($question);
  my ($id, $flags, $questions) = unpack('n3', $answer);
  return $id == unpack('n', $query) && $flags & 0x8000 && $questions == 1 && lc(substr($answer, 12, length($question))) eq lc($question);
}
sub ask_udp {
  my ($query, $deadline) = @_;
  socket(my $socket, unpack('S', $to), SOCK_DGRAM, 17) or die "socket: $!\n";
  prepare($socket);
  # So only packets of the server arrive, and one that nobody takes is an error.
  connect($socket, $to) or die "$!\n";
  send($socket, $query, 0) // die "$!\n";
  while (ready($socket, 0, $deadline)) {
    my ($answer, undef, $got) = receive($socket);
    if (!defined $answer) { next if $!{EAGAIN} || $!{EINTR}; die "$!\n" }
    # The kernel tells when it came by the time of day. That was so long ago.
    return ($answer, now(1) - (now(0) - $got)) if is_answer($answer, $query);
  }
  die "no answer in time\n";
}
sub ask_tcp {
  my ($query, $deadline) = @_;
  my ($socket) = open_stream($deadline, $to);
  send_all($socket, pack('n/a', $query), $deadline);
  my $data = '';
  until (length($data) >= 2 && length($data) >= 2 + unpack('n', $data)) {
    my $some = read_some($socket, $deadline);
    die "the connection ended within the answer\n" if $some eq '';
    $data .= $some;
  }
  my $answer = substr($data, 2, unpack('n', $data));
  die "the answer is to another question\n" if !is_answer($answer, $query);
  return ($answer, now(1));
}
# Returns the name at a place of a message, and the place after it. Each pointer leads back, so this ends.
sub name_at {
  my ($message, $at) = @_;
  my ($after, $limit, @labels) = (undef, $at);
  while (1) {
    die "\n" if $at >= length($message);
    my $length = unpack('C', substr($message, $at, 1));
    if ($length == 0) { $after //= $at + 1; last }
    if ($length >= 0xc0) {
      die "\n" if $at + 2 > length($message);
      $after //= $at + 2;
      $at = unpack('n', substr($message, $at, 2)) & 0x3fff;
      die "\n" if $at >= $limit;
      $limit = $at;
      next;
    }
    die "\n" if $length > 63 || $at + 1 + $length > length($message) || @labels > 127;
    push(@labels, substr($message, $at + 1, $length));
    $at += 1 + $length;
  }
  return (join('.', @labels) || '.', $after);
}
# Dies when the message is damaged.
sub describe {
  my ($message) = @_;
  my ($flags, $answers) = (unpack('n4', $message))[1, 3];
  my $at = 12 + length($question);
  my ($ttl, $text, $shown) = (undef, '', 0);
  for (1 .. $answers) {
    (undef, $at) = name_at($message, $at);
    die "\n" if $at + 10 > length($message);
    my ($kind, undef, $seconds, $length) = unpack('n2 N n', substr($message, $at, 10));
    $at += 10;
    die "\n" if $at + $length > length($message);
    $ttl = $seconds if !defined $ttl || $seconds < $ttl;
    if (length($text) < 500) { $text .= ($text eq '' ? '' : ', ') . data_of($message, $at, $kind, $length) }
    $at += $length;
  }
  my $rcode = $flags & 15;
  my $told = sprintf('rcode=%s answers=%d is_authoritative=%s', $rcodes[$rcode] // "RCODE$rcode", $answers, $flags & 0x0400 ? 'true' : 'false');
  return $told . (defined $ttl ? " ttl_s=$ttl" : '') . ($text eq '' ? '' : ' answer=' . quoted($text, 500));
}
sub data_of {
  my ($message, $at, $kind, $length) = @_;
  my ($name, $data) = ($names_of_types{$kind} // "TYPE$kind", substr($message, $at, $length));
  my $words;
  if ($name eq 'A' && $length == 4) { $words = inet_ntoa($data) }
  elsif ($name eq 'AAAA' && $length == 16) { $words = inet_ntop(AF_INET6, $data) }
  elsif ($name =~ /^(NS|CNAME|PTR)$/) { ($words) = name_at($message, $at) }
  elsif ($name eq 'MX' && $length > 2) { $words = unpack('n', $data) . ' ' . (name_at($message, $at + 2))[0] }
  elsif ($name eq 'SRV' && $length > 6) { $words = join(' ', unpack('n3', $data), (name_at($message, $at + 6))[0]) }
  elsif ($name eq 'TXT') { $words = join(' ', unpack('(C/a)*', $data)) }
  elsif ($name eq 'SOA') { my ($first, $next) = name_at($message, $at); my ($second) = name_at($message, $next); $words = "$first $second" }
  else { $words = "\\# $length" }
  return "$name $words";
}
my @peers = ({fields => 'server=' . quoted($server) . ' domain=' . quoted($domain, 255) . " type=$type"});
my $is_fine = run_series(every => $every, count => $count, patience => $patience + 1e9, peers => \@peers, table => 'dns', share => ($rank // 0) / (@sources || 1), task => \&ask);
exit(143) if $stop;
exit($is_fine ? 0 : 1);
`
