use strict;
use warnings;
use Errno qw(ENOENT);
use Fcntl qw(:DEFAULT :flock);
# The modules are beside this file.
use lib __FILE__ =~ s{[^/]*$}{.}r;
use Catcher::Files qw(monotonic_us read_first read_steady write_text);
use Catcher::List qw(read_wanted write_caught);
use Catcher::Settings qw(configure $dir);
use Catcher::Stream qw(catch empty finish is_fifo_open open_stream);
use Catcher::Sync qw(sync_moved);

# The catcher: one process for all slivers of a node. Programs in slivers write lines into FIFOs, one for each sliver. The catcher moves these bytes into files,
# and the agent reads the files. The catcher continues to run when the agent ends. It is written in Perl, which can call splice(2) and is part of every Debian
# (only perl-base is needed). With splice(2) the kernel moves the bytes from the FIFO to the file, so a kill between reading and writing cannot lose any.
#
# Files in the catcher's folder:
#   wanted      the list that the agent writes: a line 'version serial boot', for each sliver a line 'folder <tab> task <tab> fifo', and a line 'end serial'.
#               The task is 'catch': move what is written into the FIFO; what was there before the list
#               is moved before the answer. Or it is 'end': move what is still in the FIFO, then close it.
#   caught      the answer, in the same format, with this process's pid instead of the boot. For each sliver it has a line 'folder <tab> state'.
#               The state is 'ok' (its lines are caught), 'ended' (its task is done), or the reason why the task has failed.
#   steady      a line 'boot base rate' of the agent: the time of a line is the monotonic clock times the rate, plus the base, both in microseconds
#   wake        a FIFO: a byte in it means that 'wanted' or 'steady' has changed
#   lock        locked while this process runs; it contains the pid
# Files in the folder of a sliver:
#   START.data  bytes that were written; the first of them is byte START of the sliver's stream
#   START.index entries of 34 bytes, 'end time': all bytes before byte 'end' had arrived at that time of the steady clock, in microseconds since the epoch
#   dropped     the number of lines that were lost because the files had reached their limit, or because the disk was full
#   refused     the number of lines that were refused because they came too fast, and one of them
#   lost        the bytes that are being discarded, and the state of that, so that a catcher that is started after a kill continues it
#   lock        locked while this process has the sliver's FIFO open
#
# The list contains all tasks, so the agent can write it again at any time, and a catcher that is started later reads the same list. A failed task is repeated
# each second.
#
# A sliver may write a number of bytes per second, and after a pause a larger number at once. Bytes that come faster are discarded as whole lines, and the lines
# are counted. They are moved into the file 'lost' first, where the next catcher finds them after a kill. The catcher sleeps seven times as long as it
# works, so a faster writer has to wait.
#
# What was moved is on the disk about a second later: see Sync.pm. Until then a power cut may take it, or leave zeros where it was.
#
# On a full disk only a part of a write succeeds. The missing part is then written before anything else, so the index has only complete entries, and no line is
# joined to another one. 'dropped', 'refused' and 'caught' are overwritten in place, because a full disk has no room for a second file. Their last bytes show
# whether they are complete. The agent replaces 'wanted', so it is always complete.

configure(@ARGV);
# How long the catcher rests after each round: so many times as long as that took, and at least so many microseconds.
my ($rest_factor, $rest_us) = (7, 1000);
my ($stop, $is_answered, $did_tasks_us, %streams, %ended) = (0, 0, 0);
# The bits of select(2) for everything that is read; whether everything that was moved is on the disk, and since when it is not.
my ($all_readable, $is_synced, $moved_us) = (undef, 1, 0);
sysopen(my $lock, "$dir/lock", O_RDWR | O_CREAT, 0600) or die "lock: $!\n";
for (my $tries = 0; !flock($lock, LOCK_EX | LOCK_NB); $tries++) {
  # The process that syncs for a catcher that was killed may hold the lock for a moment. The link 'exe' of a process that has ended cannot be read.
  my ($owner) = read_first("$dir/lock", 32) =~ /^(\d+)/;
  exit 3 if $tries == 100 || defined $owner && defined readlink("/proc/$owner/exe");
  select(undef, undef, undef, 0.01);
}
write_text($lock, "$$\n");
$SIG{TERM} = sub { $stop = 1 };
$SIG{PIPE} = $SIG{HUP} = $SIG{INT} = 'IGNORE';
# The process that syncs leaves nothing behind.
$SIG{CHLD} = 'IGNORE';
sysopen(my $wake, "$dir/wake", O_RDWR | O_NONBLOCK) or die "wake: $!\n";

# Execute the task of a sliver. Returns its state.
sub do_task {
  my ($name, $task, $fifo) = @_;
  if (my $stream = $streams{$name}) {
    if ($task eq 'catch' && is_fifo_open($stream, $fifo)) {
      # Whoever asked may wait for what was written before.
      empty($stream);
      return 'ok';
    }
    finish($stream, $task eq 'end');
    delete $streams{$name};
  } elsif ($task eq 'end') {
    # The task is done already, or the sliver was removed.
    return 'ended' if ($ended{$name} // '') eq $fifo || !-d "$dir/$name" || !-e $fifo && $! == ENOENT;
    finish(open_stream($name, $fifo), 1);
  }
  if ($task eq 'end') {
    $ended{$name} = $fifo;
    return 'ended';
  }
  my $stream = open_stream($name, $fifo);
  catch($stream);
  $streams{$name} = $stream;
  return 'ok';
}

# Write a failure to the log, whose size is limited.
sub log_failure {
  my ($name, $why) = @_;
  warn "$name: $why" if (-s STDERR // 0) < 65536;
}

# Execute the tasks of the list, and answer. When a task has failed, or the answer could not be written because the disk is full, all of this is repeated.
sub do_tasks {
  read_steady();
  $all_readable = undef;
  $did_tasks_us = monotonic_us();
  $is_answered = 0;
  my ($serial, @tasks) = read_wanted() or return;
  my %listed = map { $_->{name} => $_ } @tasks;
  for my $name (grep { !$listed{$_} } keys %streams) {
    eval { finish($streams{$name}); 1 } or log_failure($name, $@);
    delete $streams{$name};
  }
  for my $name (grep { ($listed{$_}{task} // '') ne 'end' } keys %ended) { delete $ended{$name} }
  my ($failed, @states) = (0);
  for my $task (@tasks) {
    my $state = eval { do_task(@$task{'name', 'task', 'fifo'}) };
    if (!defined $state) {
      $state = $@ =~ s/[\n\t]/ /gr;
      $failed = 1;
    }
    push(@states, { name => $task->{name}, state => $state });
  }
  $is_answered = write_caught($serial, @states) && !$failed;
}

# The agent may end before its catcher does, so later failures are written to a file.
open(STDERR, '>', "$dir/log") or die "log: $!\n";
do_tasks();
print "ready\n";
open(STDOUT, '>', '/dev/null') or die "/dev/null: $!\n";
until ($stop) {
  exit 0 if !%streams && $is_answered;
  if (!defined $all_readable) {
    $all_readable = '';
    vec($all_readable, fileno($_), 1) = 1 for $wake, map { $_->{in} } values %streams;
  }
  my $readable = $all_readable;
  my $is_owing = !$is_answered || grep { $_->{owed_us} || $_->{dropped} != $_->{dropped_saved} } values %streams;
  my $found = select($readable, undef, undef, $is_owing || !$is_synced ? 1 : 60);
  my $began = monotonic_us();
  if ($found > 0 && vec($readable, fileno($wake), 1)) {
    sysread($wake, my $nothing, 4096);
    do_tasks();
  } elsif (!$is_answered && $began - $did_tasks_us > 1000000) { do_tasks() }
  for my $name (keys %streams) {
    my $stream = $streams{$name};
    next unless $found > 0 && vec($readable, $stream->{in_fd}, 1) || $is_owing;
    next if eval { catch($stream, $began); 1 };
    # Its folder is gone, or its disk fails. The other slivers are not affected, and this one is tried again in a second.
    log_failure($name, $@);
    delete $streams{$name};
    ($is_answered, $all_readable) = (0, undef);
  }
  ($is_synced, $moved_us) = (0, $began) if $found > 0 && $is_synced;
  if (!$is_synced && $began - $moved_us >= 1000000) {
    $is_synced = sync_moved($lock, values %streams);
    $moved_us = $began;
  }
  # After a wait, lines that came at nearly the same time are moved together, which is a tenth of the work.
  my $wait_us = $rest_factor * (monotonic_us() - $began);
  select(undef, undef, undef, ($wait_us > $rest_us ? $wait_us : $rest_us) / 1000000);
}
finish($_) for values %streams;
