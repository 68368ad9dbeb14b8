import { prober } from './prober.ts'

/**
 * The part of a perl program that asks again and again, each time in a process of its own. So a request that hangs, as in the resolver of the C library, does not delay the next one, and nothing of it is left.
 *
 * - `run_series` begins task K of peer P at `every` times K, spread over the peers, and puts a row of `table` for each. At its end it puts a row `…_count` for each peer.
 * - A task says by `report` what its row is. It begins with `lost=`. The last word counts, so a task first says what is true if nothing more comes.
 * - `%ears`: functions by the descriptor of a socket that the program reads besides; `%mouths`: those that it writes; `%ends`: the time at which a socket is given up, and the function for that.
 */
export const series = String.raw`${prober}
use Fcntl ();
my ($most_children, %children, %ears, %mouths, %ends, $mouth) = (32);
# A text for a sample. What is no printable ASCII becomes a question mark.
sub quoted {
  my ($text, $most) = @_;
  $text = substr($text, 0, $most // 200);
  $text =~ s/[^ -~]/?/g;
  $text =~ s/(["\\])/\\$1/g;
  return qq("$text");
}
sub report { syswrite($mouth, "$_[0]\n") }
sub failure { return qq(lost=true failed=$_[0] error=) . quoted($_[1]) }
sub begin_task {
  my ($task, $patience, $done) = @_;
  return $done->(failure('start', "$most_children requests wait for answers already"), 0) if keys %children >= $most_children;
  pipe(my $in, my $out) or return $done->(failure('start', "pipe: $!"), 0);
  my $pid = fork();
  return $done->(failure('start', "fork: $!"), 0) if !defined $pid;
  if ($pid == 0) {
    $SIG{TERM} = $SIG{INT} = 'DEFAULT';
    close($in);
    $mouth = $out;
    eval { $task->(); 1 } or report(failure('start', $@ =~ s/\s+$//r));
    POSIX::_exit(0);
  }
  $children{fileno($in)} = {in => $in, pid => $pid, text => '', until => now(1) + $patience, done => $done};
}
# Returns the latest word of a task that has ended, or takes its time to end.
sub hear {
  my ($child) = @_;
  my $bytes = sysread($child->{in}, $child->{text}, 4096, length($child->{text}));
  return if $bytes || !defined $bytes && $!{EINTR};
  delete $children{fileno($child->{in})};
  close($child->{in});
  waitpid($child->{pid}, 0);
  my @words = split(/\n/, $child->{text});
  $child->{done}->($words[-1] // failure('start', 'its process was ended'), 1);
}
# Wait until something happens or a time of the clock that nobody sets, and let those answer that can.
sub attend {
  my ($until) = @_;
  for my $time ((map { $_->{until} } values %children), (map { $_->[0] } values %ends)) { $until = $time if $time < $until }
  my ($read, $write) = ('', '');
  vec($read, $_, 1) = 1 for keys %children, keys %ears;
  vec($write, $_, 1) = 1 for keys %mouths;
  flush_lines();
  my $left = ($until - now(1)) / 1e9;
  my $ready = select($read, $write, undef, $left > 0 ? $left : 0);
  if ($ready > 0) {
    for my $fd (grep { vec($read, $_, 1) } keys %children) { hear($children{$fd}) if $children{$fd} }
    for my $fd (grep { vec($write, $_, 1) } keys %mouths) { $mouths{$fd}->() if $mouths{$fd} }
    for my $fd (grep { vec($read, $_, 1) } keys %ears) { $ears{$fd}->() if $ears{$fd} }
  }
  my $now = now(1);
  for my $child (values %children) { kill('KILL', $child->{pid}) if $child->{until} <= $now }
  for my $end (values %ends) { $end->[1]->() if $end->[0] <= $now }
}
sub attend_all { my ($until) = @_; attend($until) while !$stop && %children && now(1) < $until }
# Returns whether each peer has answered once.
sub run_series {
  my (%set) = @_;
  my ($every, $count, $peers, $table) = @set{qw(every count peers table)};
  my ($n, $next) = (scalar @$peers, 0);
  for my $peer (@$peers) { $peer->{$_} = 0 for qw(sent unsent received lost) }
  # So the requests of several slivers do not meet at one server.
  my $begin = now(1) + $every * $set{share} / $n;
  until ($stop || $next == $count * $n && !%children) {
    my ($now, $due) = (now(1), $begin + $every * $next / $n);
    if ($next == $count * $n || $due > $now) { attend($next == $count * $n ? $now + 1e9 : $due); next }
    # After a pause, as of a suspended host, the series goes on. It does not catch up.
    $begin += $now - $due if $now - $due > $every;
    my ($peer, $seq) = ($peers->[$next % $n], int($next / $n) + 1);
    $next++;
    begin_task(sub { $set{task}->($peer, $seq) }, $set{patience}, sub {
      my ($words, $is_sent) = @_;
      $peer->{$is_sent ? 'sent' : 'unsent'}++;
      $peer->{$words =~ /^lost=false/ ? 'received' : 'lost'}++;
      put("$table $words seq_no=$seq $peer->{fields}");
    });
  }
  if ($stop) { kill('KILL', map { $_->{pid} } values %children) }
  for my $peer (@$peers) { put("$set{table}_count $peer->{fields} " . join(' ', map { "$_=$peer->{$_}" } qw(sent unsent received lost))) }
  flush_lines();
  return !grep { $_->{received} == 0 } @$peers;
}
# A TCP connection to the first address that takes it, without waiting in system calls. Dies with the reason.
sub open_stream {
  my ($deadline, @addresses) = @_;
  my $why = 'no address';
  for my $to (@addresses) {
    # SOCK_NONBLOCK
    socket(my $socket, unpack('S', $to), SOCK_STREAM | 04000, 6) or die "socket: $!\n";
    my $is_there = connect($socket, $to);
    if (!$is_there && $!{EINPROGRESS}) {
      if (!ready($socket, 1, $deadline)) { die "no answer in time\n" }
      $! = unpack('i', getsockopt($socket, SOL_SOCKET, SO_ERROR));
      $is_there = $! == 0;
    }
    return ($socket, $to) if $is_there;
    $why = "$!";
  }
  die "$why\n";
}
sub ready {
  my ($socket, $writes, $deadline) = @_;
  my $bits = '';
  vec($bits, fileno($socket), 1) = 1;
  my $left = ($deadline - now(1)) / 1e9;
  return 0 if $left <= 0;
  return select($writes ? undef : $bits, $writes ? $bits : undef, undef, $left) > 0;
}
# Dies when the other end does not take all of it in time.
sub send_all {
  my ($socket, $bytes, $deadline) = @_;
  while ($bytes ne '') {
    my $written = syswrite($socket, $bytes);
    if (defined $written) { substr($bytes, 0, $written, ''); next }
    next if $!{EINTR};
    die "$!\n" if !$!{EAGAIN};
    ready($socket, 1, $deadline) or die "no answer in time\n";
  }
}
# What has come, '' at the end. Dies when nothing comes in time.
sub read_some {
  my ($socket, $deadline) = @_;
  while (1) {
    my $bytes = sysread($socket, my $data, 65536);
    return $data if defined $bytes;
    next if $!{EINTR};
    die "$!\n" if !$!{EAGAIN};
    ready($socket, 0, $deadline) or die "no answer in time\n";
  }
}
sub address_text {
  my ($to) = @_;
  return inet_ntop(AF_INET6, (unpack_sockaddr_in6($to))[1]) if unpack('S', $to) == AF_INET6;
  return inet_ntoa((unpack_sockaddr_in($to))[1]);
}
`
