use strict;
use warnings;
use Fcntl qw(:DEFAULT :flock);
use IO::Handle;
use POSIX ();

# The supervisor of one run in one sliver. It outlives the agent that has started it, and needs nothing from it: it starts the program at its time, keeps its
# output, ends it when its time is over or when it is cancelled, and writes down how it has ended. The agent reads these files when it likes.
#
# Arguments: the run's folder; when it starts by the host's wall clock, which counts while 'start' says nothing (microseconds since the epoch; 0: at
# once); after how many microseconds it is ended (0: never); how many bytes of its output are kept; the sliver's FIFO of samples, to which it writes the
# end of a line; the numbers of clock_gettime(2) and prctl(2); the run's cgroup (empty: none); the files in which a process is entered into cgroups;
# '--'; and the command that starts the program in the sliver and leaves it to this process. The program reads a line from its standard input when it is
# ready, and waits for a second one before it begins. Its pid is in the file 'pid' then.
#
# Files in the run's folder:
#   lock       locked while a supervisor runs
#   state      lines that are only added, each on the disk before what it tells of happens, or after it has:
#                supervisor PID START BOOT   this process, with its start in ticks since the boot with this id
#                started PID START           the program, which waits to be let run, and its start in ticks
#                begun TIME                  the program is about to be let run, at this time in microseconds. From now on it is never started again
#                ended TIME CODE SIGNAL REASON BYTES LOST END_ROW KILLED
#                                            how it has ended; '-' stands for no code or signal. REASON: exited, limit, cancelled, sliver_ended, or lost
#                                            when something else than the agent has ended this process by SIGTERM, as a host does that shuts down. BYTES
#                                            of its output are in 'output', and LOST were not kept. END_ROW is 0; supervisors of earlier versions have
#                                            written a line 'run_end' into the FIFO, and 1 here. KILLED processes of the sliver were killed by the
#                                            kernel meanwhile because there was no memory left
#                failed MESSAGE              it could not be started
#              A line without a newline at its end was not written completely, and counts as absent. The next supervisor removes it.
#   output     what the program has written, standard output and standard error as they came. What comes before it begins is of the runtime, or says
#              why it cannot begin
#   files.tar  the archive of the program's files, if it has any. The program gets it from file descriptor 3. It is removed when the program has begun
#   pid        the pid of the program. The command that starts it writes it
#   runtime.log  what that command has logged
#   first      the pid of the sliver's first process, and the path of a file that exists while the agent ends the sliver. The agent writes it
#   start      'BOOT TIME': when the program begins, by the kernel's monotonic clock in the boot with this id, in microseconds. The agent
#              writes it as soon as it knows the server's time, and again when it knows better
#   cancel     exists when the run is to be ended. The agent makes it, and then sends SIGTERM
#
# A supervisor that is killed leaves the program running without anybody who reads its output. The agent finds that, and ends it by its cgroup.

my ($dir, $start_us, $limit_us, $max_output, $fifo, $clock, $prctl, $cgroup, @rest) = @ARGV;
my @procs;
while (@rest) {
  my $next = shift @rest;
  last if $next eq '--';
  push(@procs, $next);
}
my @command = @rest;
# How long a program may take to end after SIGTERM, in microseconds; and how long to wait for its last output, and for room in the FIFO.
my ($grace_us, $drain_us) = (2000000, 5000000);
use constant { PR_SET_PDEATHSIG => 1, PR_SET_CHILD_SUBREAPER => 36 };
# The exit code of a program that cannot begin. Source: agent/src/sliver/program.ts.
use constant CANNOT_BEGIN => 120;

sub clock_us {
  my ($which) = @_;
  my $time = "\0" x 16;
  syscall($clock, $which, $time);
  my ($s, $ns) = unpack('l!2', $time);
  return $s * 1000000 + int($ns / 1000);
}
sub now_us { return clock_us(0) }
sub monotonic_us { return clock_us(1) }
# It goes on while the host is suspended. Source: Linux, clock_gettime(2), CLOCK_BOOTTIME.
sub boottime_us { return clock_us(7) }

sub read_file {
  my ($path) = @_;
  open(my $file, '<', $path) or return '';
  local $/;
  return scalar(<$file>) // '';
}

sysopen(my $lock, "$dir/lock", O_RDWR | O_CREAT, 0600) or die "lock: $!\n";
flock($lock, LOCK_EX | LOCK_NB) or exit 3;
my $before = read_file("$dir/state");
exit 4 if $before =~ /^(?:begun|ended|failed) .*\n/m;
sysopen(my $state, "$dir/state", O_WRONLY | O_APPEND | O_CREAT, 0600) or die "state: $!\n";
my $state_bytes = rindex($before, "\n") + 1;
truncate($state, $state_bytes) or die "state: $!\n";

# Add a line to the state. Returns whether it is on the disk. When it is not, the state is as before.
sub note {
  my $line = join(' ', @_) . "\n";
  if ((syswrite($state, $line) // 0) != length $line || !$state->sync) {
    truncate($state, $state_bytes);
    return 0;
  }
  $state_bytes += length $line;
  return 1;
}

my $stat = read_file("/proc/$$/stat");
my $ticks = (split(' ', substr($stat, rindex($stat, ')') + 2)))[19];
my $boot = read_file('/proc/sys/kernel/random/boot_id');
chomp $boot;
note('supervisor', $$, $ticks, $boot) or die "state: $!\n";
my $stop = 0;
$SIG{TERM} = sub { $stop = 1 };
$SIG{PIPE} = $SIG{HUP} = $SIG{INT} = 'IGNORE';
# Agent and catcher may both be dead for a while. What programs write then stays in the FIFO as long as somebody has it open, and they need not wait.
sysopen(my $held, $fifo, O_RDWR | O_NONBLOCK);
# A child that ends interrupts the wait for output.
$SIG{CHLD} = sub { };
# The program becomes a child of this process when the command that has started it ends.
syscall($prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 or die "prctl: $!\n";

# Enter a process into the cgroups of the sliver and of the run.
sub enter {
  my ($pid) = @_;
  for my $path (@procs) {
    sysopen(my $file, $path, O_WRONLY) or return "$path: $!";
    defined syswrite($file, $pid) or return "$path: $!";
  }
  return '';
}

my $main = 0;
# Send a signal to all processes of the run.
sub signal_all {
  my ($signal) = @_;
  if ($cgroup eq '') {
    kill($signal, -$main) if $main;
    return;
  }
  if ($signal eq 'KILL' && sysopen(my $file, "$cgroup/cgroup.kill", O_WRONLY)) {
    return if defined syswrite($file, '1');
  }
  kill($signal, $_) for grep { $_ > 1 } split(/\n/, read_file("$cgroup/cgroup.procs"));
}

sub has_processes { return $cgroup ne '' && read_file("$cgroup/cgroup.procs") ne '' }

pipe(my $output, my $output_in) or die "pipe: $!\n";
pipe(my $input, my $release) or die "pipe: $!\n";
my ($files, $files_in);
if (-e "$dir/files.tar") { pipe($files, $files_in) or die "pipe: $!\n" }
unlink("$dir/pid", "$dir/runtime.log");
my $starter = fork() // die "fork: $!\n";
if ($starter == 0) {
  $SIG{$_} = 'DEFAULT' for qw(TERM PIPE HUP INT CHLD);
  # It ends with this process. Otherwise it would write its 'pid' over that of the next supervisor's program.
  syscall($prctl, PR_SET_PDEATHSIG, 9, 0, 0, 0);
  # The number of a file that the program gets besides the usual three. A file that it could open again is not given to it, but a pipe.
  POSIX::dup2(fileno($files), 3) // POSIX::_exit(126) if $files;
  open(STDIN, '<&', $input);
  open(STDOUT, '>&', $output_in);
  open(STDERR, '>&', $output_in);
  my $failure = enter($$);
  if ($failure ne '') {
    open(my $log, '>', "$dir/runtime.log");
    print $log "$failure\n";
    close($log);
    POSIX::_exit(125);
  }
  # When the host has no memory left, programs of slivers end first.
  if (sysopen(my $score, '/proc/self/oom_score_adj', O_WRONLY)) { syswrite($score, '1000') }
  # All others are closed by exec.
  exec { $command[0] } @command or POSIX::_exit(126);
}
close($_) for $output_in, $input;
if ($files) {
  close($files);
  my $feeder = fork() // die "fork: $!\n";
  if ($feeder == 0) {
    $SIG{$_} = 'DEFAULT' for qw(TERM PIPE HUP INT CHLD);
    syscall($prctl, PR_SET_PDEATHSIG, 9, 0, 0, 0);
    sysopen(my $archive, "$dir/files.tar", O_RDONLY) or POSIX::_exit(1);
    close($_) for $output, $release, $lock, $state;
    while ((sysread($archive, my $part, 65536) // 0) > 0) { syswrite($files_in, $part) // POSIX::_exit(1) }
    POSIX::_exit(0);
  }
  close($files_in);
}
# The agent waits for this line.
syswrite(STDOUT, "ready\n");
open(STDIN, '<', '/dev/null');
open(STDOUT, '>', '/dev/null');
open(STDERR, '>', '/dev/null');

sysopen(my $kept, "$dir/output", O_WRONLY | O_APPEND | O_CREAT, 0600) or die "output: $!\n";
my ($bytes, $lost, $is_open, $begun_us) = (-s $kept // 0, 0, 1, undef);
# What came before the program began: words of the runtime, or of what could not begin.
my $before_begin = '';

# Read output, and keep as much of it as there may be.
sub take_output {
  my $read = sysread($output, my $text, 65536);
  return if !defined $read;
  if ($read == 0) {
    $is_open = 0;
    return;
  }
  if (!defined $begun_us) {
    $before_begin = substr($before_begin . $text, -4096);
    return;
  }
  my $room = $max_output - $bytes;
  my $wanted = $room <= 0 || $lost > 0 ? 0 : $read < $room ? $read : $room;
  my $written = $wanted == 0 ? 0 : syswrite($kept, $text, $wanted) // 0;
  $bytes += $written;
  $lost += $read - $written;
}

# Wait for output or for the end of a child. After output, this process sleeps nine times as long as it has worked: its own time is not counted as that of the
# sliver, so a program that writes fast has to wait.
sub wait_us {
  my ($us) = @_;
  $us = 1000000 if $us > 1000000;
  $us = 0 if $us < 0;
  my $readable = '';
  vec($readable, fileno($output), 1) = 1 if $is_open;
  my $found = select($readable, undef, undef, $us / 1000000);
  return unless $found > 0 && $is_open;
  my $began = monotonic_us();
  take_output();
  my $pause_us = 9 * (monotonic_us() - $began);
  select(undef, undef, undef, ($pause_us < 100000 ? $pause_us : 100000) / 1000000);
}

my (%ended, $has_started);
sub reap {
  while ((my $pid = waitpid(-1, POSIX::WNOHANG())) > 0) { $ended{$pid} = $? }
}

# Return the last words that came before the program began, without what a terminal would not show.
sub last_words {
  my ($message) = reverse grep { /\S/ } split(/\n/, shift);
  return defined $message ? substr($message, 0, 500) =~ s/[^\x20-\x7e]/ /gr : undef;
}

# Return how many processes of the sliver the kernel has ever killed because there was no memory left. Runs have no limit of their own, so it does not
# count theirs alone.
sub count_killed {
  my $most = 0;
  for my $folder ("$cgroup/..", map { s{/cgroup\.procs$}{}r } @procs) {
    for my $file ('memory.events', 'memory.oom_control') {
      $most = $1 if read_file("$folder/$file") =~ /^oom_kill (\d+)/m && $1 > $most;
    }
  }
  return $most;
}
my $killed_before = 0;

# Write the end, and leave.
sub finish {
  my ($status, $reason) = @_;
  my ($code, $signal) = defined $status ? ($status & 127 ? ('-', $status & 127) : ($status >> 8, '-')) : ('-', '-');
  my $until = monotonic_us() + $drain_us;
  # Where the kernel does not kill all at the same time, some may have started others meanwhile.
  do {
    signal_all('KILL');
    wait_us($is_open ? 100000 : 10000);
  } while (($is_open || has_processes()) && monotonic_us() < $until);
  IO::Handle::sync($kept);
  if (defined $begun_us) {
    # The program may have ended within a line.
    my $is_written = 0;
    $until = monotonic_us() + $drain_us;
    while (!$is_written && monotonic_us() < $until) {
      if (sysopen(my $samples, $fifo, O_WRONLY | O_NONBLOCK)) { $is_written = 1 if (syswrite($samples, "\n") // 0) == 1 }
      else { last }
      select(undef, undef, undef, 0.05) if !$is_written;
    }
  }
  # A full disk has no room for it until somebody makes some.
  my $ended_us = now_us();
  sleep 1 until note('ended', $ended_us, $code, $signal, $reason, $bytes, $lost, 0, count_killed() - $killed_before);
  rmdir($cgroup) if $cgroup ne '';
  exit 0;
}

# Tell whether the sliver that the program runs in is ending: its first process, which the kernel ends last, is not there any more or is exiting, or the agent
# is ending it.
my ($first, $ending) = split(/\n/, read_file("$dir/first"));
$first = int($first // 0);
sub is_sliver_ending {
  return 1 if defined $ending && -e $ending;
  my $stat = read_file("/proc/$first/stat");
  my @fields = split(' ', substr($stat, rindex($stat, ')') + 2));
  # PF_EXITING. Source: Linux, include/linux/sched.h; proc(5), field 9.
  return @fields < 7 || $fields[0] =~ /[ZX]/ || $fields[6] & 4;
}

# Give a sliver that may be ending the time to do so. One that is stopped sends SIGTERM to all of its processes, and its first process may end last.
sub wait_for_sliver_end {
  my $until = monotonic_us() + 1000000;
  wait_us(20000) while !is_sliver_ending() && monotonic_us() < $until;
}

# End what waits to begin, and leave. Another supervisor may start it.
sub leave {
  my ($exit_code) = @_;
  signal_all('KILL');
  rmdir($cgroup) if $cgroup ne '';
  exit $exit_code;
}

# Tell why this process is to end the run; undef: it is not.
sub find_stop_reason {
  return 'cancelled' if -e "$dir/cancel";
  return $stop ? 'lost' : undef;
}

# Return how long it is until the program begins, in microseconds.
my ($told, $start_boottime_us) = ('', undef);
sub left_us {
  return 0 if !$start_us;
  my $text = read_file("$dir/start");
  if ($text ne $told) {
    $told = $text;
    my ($of, $at_us) = $text =~ /^(\S+) (-?\d+)\n/;
    $start_boottime_us = defined $of && $of eq $boot ? $at_us - monotonic_us() + boottime_us() : undef;
  }
  return defined $start_boottime_us ? $start_boottime_us - boottime_us() : $start_us - now_us();
}

# Tell whether the program has read its first line: the pipe is empty. Source: Linux, pipe(7), FIONREAD; its number is another one on a few architectures.
my $fionread = (POSIX::uname())[4] =~ /^(?:ppc|mips|sparc|alpha)/ ? 0x4004667f : 0x541b;
sub is_ready {
  my $unread = pack('i', 0);
  return !defined(ioctl($release, $fionread, $unread)) || unpack('i', $unread) == 0;
}

# Start the program. It waits for a line.
until ($has_started) {
  reap();
  if (defined(my $status = $ended{$starter})) {
    if ($status != 0) {
      my $log = read_file("$dir/runtime.log");
      take_output() if $is_open;
      my $message = last_words($log) // last_words($before_begin);
      # A sliver that has ended meanwhile is no failure of the run. The agent starts the run when the sliver is there again.
      wait_for_sliver_end();
      note('failed', $message // "the runtime has ended with the status $status") if !is_sliver_ending();
      rmdir($cgroup) if $cgroup ne '';
      exit 0;
    }
    $main = int(read_file("$dir/pid") || 0);
    # A runtime may have moved it into other cgroups. It waits, so it has no children yet.
    enter($main);
    my $stat = read_file("/proc/$main/stat");
    note('started', $main, (split(' ', substr($stat, rindex($stat, ')') + 2)))[19]) if $stat ne '';
    # It reads this line when nothing keeps it from beginning any more.
    syswrite($release, "\n");
    $has_started = 1;
    last;
  }
  if (defined(my $reason = find_stop_reason())) {
    # A runtime that hangs does not keep the run from being cancelled.
    kill('KILL', $starter);
    leave(0) if $reason ne 'cancelled';
    finish(undef, $reason);
  }
  wait_us(1000000);
}

# Wait for its time.
for (;;) {
  reap();
  # Its sliver has ended, or something in it has ended the program. It has not begun, so it may be started again. The program itself ends so when it
  # cannot begin.
  if (defined(my $status = $ended{$main})) {
    wait_us(100000) while $is_open && $status == CANNOT_BEGIN << 8 && !has_processes();
    wait_for_sliver_end() if $status == CANNOT_BEGIN << 8;
    note('failed', last_words($before_begin) // 'its files could not be unpacked') if $status == CANNOT_BEGIN << 8 && !is_sliver_ending();
    leave(0);
  }
  if (defined(my $reason = find_stop_reason())) {
    leave(0) if $reason ne 'cancelled';
    finish(undef, $reason);
  }
  my $left = left_us();
  last if $left <= 0 && is_ready();
  wait_us($left > 0 ? $left : 5000);
}
# The sliver was reset meanwhile, and the program may be in the next one of the same name.
leave(0) if is_sliver_ending();
# The node's data was replaced by a copy, in which another supervisor has this run. The program of that one is in the same cgroup.
my ($own, $there) = ([stat($lock)], [stat("$dir/lock")]);
if (!@$there || $own->[0] != $there->[0] || $own->[1] != $there->[1]) {
  kill('KILL', $main);
  exit 0;
}
# What the runtime has said is not of the program.
for (;;) {
  my $readable = '';
  vec($readable, fileno($output), 1) = 1;
  last if !$is_open || select($readable, undef, undef, 0) <= 0;
  take_output();
}
$begun_us = now_us();
# What is not on the disk does not begin: after a power cut nobody would know of it.
leave(5) if !note('begun', $begun_us);
$killed_before = count_killed();
my $began = monotonic_us();
syswrite($release, "\n");
close($release);
unlink("$dir/files.tar");

# Run it.
my ($reason, $kill_at);
for (;;) {
  reap();
  if (defined(my $status = $ended{$main})) {
    # Shells, and programs that tidy up first, tell of a signal by 128 + its number.
    my $was_killed = grep { ($status & 127) == $_ || $status >> 8 == 128 + $_ } (9, 15);
    wait_for_sliver_end() if !defined $reason && $was_killed;
    # A program may also answer SIGTERM by tidying up and exiting with 0. Its work was cut off as well.
    $reason //= is_sliver_ending() ? 'sliver_ended' : 'exited';
    finish($status, $reason);
  }
  my $now = monotonic_us();
  if (!defined $reason) {
    $reason = find_stop_reason();
    $reason //= 'limit' if $limit_us && $now >= $began + $limit_us;
    if (defined $reason) {
      signal_all('TERM');
      $kill_at = $now + $grace_us;
    }
  } elsif ($now >= $kill_at) {
    signal_all('KILL');
    $kill_at = $now + 200000;
  }
  my $next = defined $kill_at ? $kill_at - $now : $limit_us ? $began + $limit_us - $now : 1000000;
  wait_us($next);
}
