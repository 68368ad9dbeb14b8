import { series } from './series.ts'

/**
 * The program that fetches by HTTP and times the phases, from a URL or from servers on other slivers: the same program answers there, so nobody has to install one.
 *
 * A request is one of HTTP/1.1 on a connection of its own, so each has all phases; redirects are not followed, and no proxy is used. The phases are those of the W3C's Resource Timing. https is
 * left to curl, which has the same ones and checks certificates: perl-base has no TLS.
 *
 * Settings: `every_ns`, `patience_ns`, `count`, `most_bytes` (of an answer), `body_bytes` (of what a sliver answers); of a URL: `url`, `scheme`, `host`, `port`, `authority`, `target`; lines `from` and `to`.
 *
 * Sources: RFC 9110, RFC 9112 (HTTP/1.1: status line, length of a body, chunked coding); W3C Resource Timing, 4.2; curl(1), `--write-out`.
 */
export const httpProgram = String.raw`${series}
my ($every, $patience, $count, $most, $body_bytes) = @option{qw(every_ns patience_ns count most_bytes body_bytes)};
my ($secret) = $run =~ /([0-9a-f]{12})$/;
die "the run $run has no id of the testbed\n" if !defined $secret;
my $port = $option{port} // 20000 + hex(substr($secret, 0, 8)) % 20000;
my (@sources, @peers, $rank, $is_target);
for (@lines) {
  my ($what, $id, $name, $host) = @$_;
  if ($what eq 'from') { $rank = @sources if $id eq $own; push(@sources, $id) }
  elsif ($id eq $own) { $is_target = 1 }
  else { push(@peers, {name => $name, host => $host, authority => "[$host]:$port", target => "/$secret/body", fields => qq(peer="$name")}) }
}
push(@peers, {%option, fields => 'url=' . quoted($option{url}, 1000)}) if defined $option{url};
@peers = () if !defined $rank;
my ($curl, $version);
if (($option{scheme} // '') eq 'https') {
  ($curl) = grep { -x } map { "$_/curl" } split(/:/, $ENV{PATH} // '/usr/bin');
  if (!defined $curl) { print STDERR "https needs curl, which this template does not have: use one of Debian in which curl is installed\n"; exit(127) }
  ($version) = (qx($curl --version))[0] =~ /^curl (\S+)/;
}
tool($curl ? ('curl', $version // '') : ('community-lab http', '1'));
flush_lines();

# The phase in which a fetch is, and the times that it has until now.
my ($phase, $times);
sub lap { my ($name, $since) = @_; my $now = now(1); $times .= sprintf(' %s_s=%.6f', $name, ($now - $since) / 1e9); return $now }
sub fetch {
  my ($peer) = @_;
  my $begin = now(1);
  ($phase, $times) = ('dns', '');
  report(failure($phase, 'no answer in time'));
  my ($status, $body, $address);
  my $is_whole = eval { ($status, $body, $address) = $curl ? fetch_by_curl($peer, $begin) : fetch_by_socket($peer, $begin); 1 };
  my $why = $@;
  chomp($why);
  return report(failure($phase, $why) . $times) if !$is_whole;
  report(sprintf('lost=false status=%d body_bytes=%d address=%s%s', $status, $body, quoted($address), $times));
}
sub fetch_by_socket {
  my ($peer, $begin) = @_;
  my $deadline = $begin + $patience;
  my ($error, @found) = Socket::getaddrinfo($peer->{host}, $port, {socktype => SOCK_STREAM});
  die "$error\n" if $error;
  my $at = $begin;
  # An address is no name, so nothing was looked up.
  $at = lap('dns', $begin) if $peer->{host} !~ /^[0-9.]+$|:/;
  $phase = 'connect';
  my ($socket, $to) = open_stream($deadline, map { $_->{addr} } @found);
  $at = lap('connect', $at);
  $phase = 'first_byte';
  send_all($socket, "GET $peer->{target} HTTP/1.1\r\nHost: $peer->{authority}\r\nUser-Agent: community-lab-http/1\r\nAccept: */*\r\nConnection: close\r\n\r\n", $deadline);
  my $data = read_some($socket, $deadline);
  $at = lap('first_byte', $at);
  $phase = 'receive';
  my ($status, $body) = read_answer($socket, $data, $deadline);
  lap('receive', $at);
  lap('total', $begin);
  return ($status, $body, address_text($to));
}
# Returns the status and the bytes of the body, without those of its coding. Nothing of the body is kept.
sub read_answer {
  my ($socket, $data, $deadline) = @_;
  my ($status, $head, $all) = (0, '', length($data));
  my $more = sub {
    my $some = read_some($socket, $deadline);
    die "the answer is longer than $most bytes\n" if ($all += length($some)) > $most + 65536;
    return $some;
  };
  # Answers 1xx come before the answer.
  while ($status < 200) {
    until ($data =~ /\r?\n\r?\n/) {
      die "the head of the answer is longer than 65536 bytes\n" if length($data) > 65536;
      my $some = $more->();
      die "the connection ended within the head of the answer\n" if $some eq '';
      $data .= $some;
    }
    ($head, $data) = split(/\r?\n\r?\n/, $data, 2);
    ($status) = $head =~ m{^HTTP/1\.[01] ([1-9]\d\d)\b} or die "what came is no answer of HTTP/1.1\n";
  }
  return ($status, 0) if $status == 204 || $status == 304;
  if ($head =~ /^transfer-encoding:.*\bchunked\s*$/mi) { return ($status, read_chunks($data, $more)) }
  my ($length) = $head =~ /^content-length:\s*(\d{1,15})\s*$/mi;
  my $body = length($data);
  die "the answer is longer than $most bytes\n" if ($length // 0) > $most;
  while (!defined $length || $body < $length) {
    my $some = $more->();
    last if $some eq '';
    $body += length($some);
    die "the answer is longer than $most bytes\n" if $body > $most;
  }
  die "the connection ended after $body of $length bytes\n" if defined $length && $body < $length;
  return ($status, $length // $body);
}
sub read_chunks {
  my ($data, $more) = @_;
  my $body = 0;
  my $next = sub { my $some = $more->(); die "the connection ended within a chunk\n" if $some eq ''; return $some };
  while (1) {
    until ($data =~ /\n/) { die "what came is no chunk\n" if length($data) > 4096; $data .= $next->() }
    $data =~ s/^([0-9a-f]{1,8})[^\n]*\n//i or die "what came is no chunk\n";
    my $left = hex($1);
    die "the answer is longer than $most bytes\n" if ($body += $left) > $most;
    # After the last chunk, fields may follow, and an empty line.
    if ($left == 0) { until ($data =~ /^\r?\n|\n\r?\n/) { die "the end of the answer is too long\n" if length($data) > 65536; $data .= $next->() } return $body }
    while (length($data) < $left) { $left -= length($data); $data = $next->() }
    substr($data, 0, $left, '');
    until ($data =~ s/^\r?\n//) { die "what came is no chunk\n" if length($data) > 1; $data .= $next->() }
  }
}
# curl tells the times since the begin. Their differences are the phases.
sub fetch_by_curl {
  my ($peer, $begin) = @_;
  my @names = qw(http_code time_namelookup time_connect time_appconnect time_pretransfer time_starttransfer time_total remote_ip);
  my @words = ($curl, '-q', '--silent', '--show-error', '--http1.1', '--globoff', '--proto', '=https', '--noproxy', '*', '--max-time', sprintf('%.3f', $patience / 1e9), '--user-agent', 'community-lab-http/1',
    '--write-out', '%{stderr}told ' . join(' ', map { "%{$_}" } @names), $peer->{url});
  pipe(my $in, my $out) or die "pipe: $!\n";
  pipe(my $errors, my $told) or die "pipe: $!\n";
  my $pid = fork() // die "fork: $!\n";
  if ($pid == 0) { open(STDOUT, '>&', $out); open(STDERR, '>&', $told); exec(@words) or POSIX::_exit(127) }
  close($out);
  close($told);
  my $body = 0;
  while (my $bytes = sysread($in, my $data, 65536)) {
    $body += $bytes;
    if ($body > $most) { kill('KILL', $pid); $phase = 'receive'; die "the answer is longer than $most bytes\n" }
  }
  my $text = do { local $/; <$errors> } // '';
  waitpid($pid, 0);
  my $code = $? >> 8;
  $text =~ s/told (.*)$//s or die "curl has ended without a word\n";
  my %has;
  @has{@names} = split(' ', $1);
  my ($at, $last) = (0, '');
  for (['dns', 'time_namelookup'], ['connect', 'time_connect'], ['tls', 'time_appconnect'], ['first_byte', 'time_starttransfer'], ['receive', 'time_total']) {
    my ($name, $variable) = @$_;
    $phase = $name;
    # Zero: it has not come so far.
    last if $has{$variable} == 0 || $name eq 'receive' && $code != 0;
    # The request begins when curl has what it needs for it, a little after TLS is there.
    $at = $has{time_pretransfer} if $name eq 'first_byte';
    $times .= sprintf(' %s_s=%.6f', $name, $has{$variable} - $at) unless $name eq 'dns' && $peer->{host} =~ /^[0-9.]+$|:/;
    $at = $has{$variable};
  }
  # With an error, curl keeps not even the times of phases that had ended. Its exit code says more.
  $phase = {6 => 'dns', 7 => 'connect', map { $_ => 'tls' } 35, 51, 53, 54, 58 .. 60, 66, 77, 80, 82, 83, 90, 91}->{$code} // $phase;
  $text =~ s/\n.*//s;
  die(($text =~ s/^curl: \(\d+\) |\s+$//gr || "curl has ended with $code") . "\n") if $code != 0;
  $times .= sprintf(' total_s=%.6f', $has{time_total});
  return ($has{http_code}, $body, $has{remote_ip} // '');
}

# The server of a sliver: what is asked for in the name of this run gets a body of fixed length, anything else 404.
my ($connections, %has_ended) = (0);
sub listen_here {
  socket(my $server, AF_INET6, SOCK_STREAM | 04000, 6) or die "socket: $!\n";
  setsockopt($server, SOL_SOCKET, SO_REUSEADDR, pack('i', 1));
  bind($server, pack_sockaddr_in6($port, "\0" x 16)) or die "TCP port $port: $! (another measurement has it; start this one again)\n";
  listen($server, 128) or die "listen: $!\n";
  $ears{fileno($server)} = sub {
    for (1 .. 16) {
      my $from = accept(my $socket, $server) or return;
      # Who is too much is sent away, so strangers cannot use up what a sliver may have.
      if ($connections >= 64) { close($socket); next }
      fcntl($socket, Fcntl::F_SETFL(), 04000);
      serve($socket);
    }
  };
}
sub serve {
  my ($socket) = @_;
  my ($fd, $asked, $answer, $left) = (fileno($socket), '', '', 0);
  $connections++;
  my $end = sub {
    delete @{$_}{$fd} for \%ears, \%mouths, \%ends;
    $connections--;
    # Processes that fetch may have got a copy of the socket.
    shutdown($socket, 1);
    close($socket);
  };
  # Nobody waits longer for an answer. A large one may take this long on a slow link.
  $ends{$fd} = [now(1) + $patience + 1e9, $end];
  my $write = sub {
    # Many bodies at once have no room in a small sliver, so a part of each is there at a time.
    my $part = $left < 65536 ? $left : 65536;
    if (length($answer) < 65536) { $answer .= "\0" x $part; $left -= $part }
    my $written = syswrite($socket, $answer);
    if (defined $written) { substr($answer, 0, $written, '') }
    elsif (!$!{EAGAIN} && !$!{EINTR}) { return $end->() }
    return $end->() if $answer eq '' && !$left;
  };
  $ears{$fd} = sub {
    my $bytes = sysread($socket, $asked, 4096, length($asked));
    return if !defined $bytes && ($!{EAGAIN} || $!{EINTR});
    return $end->() if !$bytes || length($asked) > 8192;
    return if $asked !~ /\r?\n\r?\n/;
    delete $ears{$fd};
    my ($what, $id) = $asked =~ m{^GET /$secret/(body|ready|end)(?:/(\S+))? } ? ($1, $2) : ('', undef);
    $has_ended{$id} = 1 if $what eq 'end' && defined $id;
    my $length = $left = $what eq 'body' ? $body_bytes : 0;
    $answer = "HTTP/1.1 " . ($what eq '' ? '404 Not Found' : '200 OK') . "\r\nContent-Type: application/octet-stream\r\nContent-Length: $length\r\nConnection: close\r\n\r\n";
    $mouths{$fd} = $write;
    $write->();
  };
}
# A short request to each of the other slivers, again and again until it is answered or it is too late: for each of them, or for all together, as many that are off would delay the series beyond
# the time for which servers are there.
sub tell_peers {
  my ($what, $within, $is_together) = @_;
  my $end_of_all = now(1) + $within;
  for my $peer (grep { defined $_->{name} } @peers) {
    begin_task(sub {
      my $end = $is_together ? $end_of_all : now(1) + $within;
      # This process is for one peer, and asks it again.
      $patience = 2e9 if $patience > 2e9;
      until (now(1) >= $end) {
        my $is_done = eval { fetch_by_socket({%$peer, target => "/$secret/$what"}, now(1)); 1 };
        last if $is_done;
        select(undef, undef, undef, 0.2);
      }
    }, $within + $patience, sub { });
    # No more of them at a time than there may be processes.
    attend(now(1) + 1e9) while !$stop && keys %children >= $most_children;
  }
  attend_all(now(1) + $within + $patience);
}
my $started = now(1);
listen_here() if $is_target;
my $is_fine = 1;
if (@peers) {
  # Other slivers may start later.
  tell_peers('ready', 15e9, 1);
  # A second more than a fetch takes is for the resolver, which cannot be told when to give up.
  $is_fine = run_series(every => $every, count => $count, patience => $patience + 1e9, peers => \@peers, table => 'http', share => $rank / (@sources || 1), task => \&fetch);
  tell_peers("end/$own", 3e9) if !$stop;
}
# A server is there until everybody has said that it is not needed, or should have.
my @others = grep { $_ ne $own } @sources;
my $deadline = $started + 45e9 + $every * $count + $patience;
while ($is_target && !$stop && now(1) < $deadline && grep { !$has_ended{$_} } @others) { attend(now(1) + 1e9) }
# The last answers are on their way.
my $last = now(1) + 2e9;
while ($is_target && $connections && now(1) < $last) { attend(now(1) + 0.1e9) }
flush_lines();
exit(143) if $stop;
exit($is_fine ? 0 : 1);
`
