use strict;
use warnings;
use Fcntl qw(:DEFAULT :flock);
use Errno qw(EAGAIN EINTR ENOENT ENOSPC);

# The catcher: one process for all slivers of a node. Programs in slivers write lines into FIFOs, one for each sliver. The catcher moves these bytes into files,
# and the agent reads the files. The catcher runs on when the agent ends. It is written in perl because perl can call splice(2) and is on every Debian (only
# perl-base is needed): the kernel moves the bytes from the FIFO to the file, so a kill between reading and writing can't lose any.
#
# Files in the catcher's folder:
#   wanted      the list that the agent writes: a line 'version serial boot', for each sliver a line 'folder <tab> task <tab> fifo', and a line 'end serial'.
#               The task is 'catch': move what is written into the FIFO. Or it is 'end': move what is still in the FIFO, then close it.
#   caught      the answer, of the same form, with this process's pid in the place of the boot. For each sliver it has a line 'folder <tab> state'.
#               The state is 'ok' (its lines are caught), 'ended' (its task is done), or the reason why the task has failed.
#   wake        a FIFO: a byte in it says that 'wanted' has changed
#   lock        locked as long as this process runs; it contains the pid
# Files in the folder of a sliver:
#   START.data  bytes that were written; the first of them is byte START of the sliver's stream
#   START.index entries of 34 bytes, 'end time': all bytes before byte 'end' had come by that time, in microseconds since the epoch
#   dropped     how many lines were lost because the files had reached their bound, or because the disk was full
#   refused     how many lines were refused because they came too fast, and one of them
#   lost        what is being thrown away, and what is known of it, so that a catcher that is started after a kill goes on in the middle of it
#   lock        locked as long as this process has the sliver's FIFO open
#
# The list says all that is wanted, so the agent can write it again at any time, and a catcher that is started later reads the same list. A task that has failed
# is tried again each second.
#
# A sliver may write a number of bytes each second, and after a quiet time a larger number at once. Bytes that come faster are thrown away as whole lines, and
# the lines are counted. They are moved into the file 'lost' first, where they are found again after a kill. Lines that tell of the end of a run are kept even
# then, up to a number each second, because somebody waits for them. The catcher sleeps three times as long as it works, so a faster writer has to wait.
#
# On a full disk a write is cut short. The part that is missing is then written before anything else, so the index has whole entries only, and no line is joined
# to another one. 'dropped', 'refused' and 'caught' are overwritten in place, because a full disk has no room for a second file. Their last bytes show whether
# they are complete. The agent replaces 'wanted', so it is always whole.

my ($version, $entry_bytes, $max_line, $chunk_bytes) = (2, 34, 4096, 65536);
# How far the files may grow beyond their bound: by the last chunk, by ends of runs, and by the end of the last line.
my $reserve_bytes = $chunk_bytes + 16384;
# The file 'lost' has a head, room for a chunk, and twice room for what is owed. The head says which of the two is the newest.
my ($head_bytes, $owed_bytes, $longest_owed, $unknown) = (4096, 24576, 16384, 0xffffffff);
my $lost_bytes = $head_bytes + $chunk_bytes + 2 * $owed_bytes;
my ($dir, $run_end, $segment_bytes, $max_bytes, $bytes_per_s, $burst_bytes, $splice, $clock) = @ARGV;
my ($run_ends_per_s, $burst_run_ends, $longest_run_end) = (10, 100, 255);
my ($stop, $is_answered, $answer, $obeyed_us, %slivers, %ended) = (0, 0, '', 0);

sysopen(my $lock, "$dir/lock", O_RDWR | O_CREAT, 0600) or die "lock: $!\n";
flock($lock, LOCK_EX | LOCK_NB) or exit 3;
write_text($lock, "$$\n");
$SIG{TERM} = sub { $stop = 1 };
$SIG{PIPE} = $SIG{HUP} = $SIG{INT} = 'IGNORE';
sysopen(my $wake, "$dir/wake", O_RDWR | O_NONBLOCK) or die "wake: $!\n";

sub clock_us {
  my ($which) = @_;
  my $time = "\0" x 16;
  syscall($clock, $which, $time);
  my ($s, $ns) = unpack('l!2', $time);
  return $s * 1000000 + int($ns / 1000);
}

sub now_us { return clock_us(0) }
sub monotonic_us { return clock_us(1) }

# Write a file in its place; tell whether all of it was written.
sub write_text {
  my ($file, $text) = @_;
  sysseek($file, 0, 0);
  return 0 unless (syswrite($file, $text) // 0) == length $text;
  return truncate($file, length $text);
}

sub write_at {
  my ($file, $at, $bytes) = @_;
  sysseek($file, $at, 0);
  return (syswrite($file, $bytes) // 0) == length $bytes;
}

sub read_at {
  my ($file, $at, $bytes) = @_;
  sysseek($file, $at, 0);
  sysread($file, my $text, $bytes);
  return $text // '';
}

sub read_first {
  my ($path, $bytes) = @_;
  sysopen(my $file, $path, O_RDONLY) or return '';
  sysread($file, my $text, $bytes);
  return $text // '';
}

# ---- the counts of a sliver

sub tell_dropped {
  my ($one) = @_;
  sysopen(my $file, "$one->{dir}/dropped", O_RDWR | O_CREAT, 0600) or return;
  $one->{dropped_told} = $one->{dropped} if write_text($file, sprintf("%020d\n", $one->{dropped}));
}

# The number stands at both ends, so that a reader sees when it is being written.
sub tell_refused {
  my ($one) = @_;
  sysopen(my $file, "$one->{dir}/refused", O_RDWR | O_CREAT, 0600) or return;
  my $line = sprintf("%020d %-256s %020d\n", $one->{refused}, $one->{example}, $one->{refused});
  $one->{refused_told} = $one->{refused} if write_text($file, $line);
}

sub tell_counts {
  my ($one) = @_;
  tell_dropped($one) if $one->{dropped} != $one->{dropped_told};
  tell_refused($one) if $one->{refused} != $one->{refused_told};
}

# ---- the segments of a sliver

sub starts {
  my ($one) = @_;
  opendir(my $folder, $one->{dir}) or die "$one->{dir}: $!\n";
  return sort map { /^(\d{16})\.data$/ ? $1 : () } readdir $folder;
}

# How many bytes there is room for. The agent makes room by removing what it has read.
sub measure_room {
  my ($one) = @_;
  my $now = monotonic_us();
  return if $one->{room} <= 0 && $now - $one->{measured_us} < 50000;
  opendir(my $folder, $one->{dir}) or die "$one->{dir}: $!\n";
  $one->{measured_us} = $now;
  $one->{room} = $max_bytes;
  for (readdir $folder) { $one->{room} -= (-s "$one->{dir}/$_") // 0 if /\.(data|index)$/ }
}

sub open_segment {
  my ($one, $start) = @_;
  sysopen(my $data, "$one->{dir}/$start.data", O_RDWR | O_CREAT, 0600) or die "data: $!\n";
  sysopen(my $index, "$one->{dir}/$start.index", O_RDWR | O_CREAT, 0600) or die "index: $!\n";
  @$one{'start', 'data', 'index'} = ($start, $data, $index);
  $one->{end} = $start + sysseek($data, 0, 2);
  $one->{index_bytes} = $entry_bytes * int(sysseek($index, 0, 2) / $entry_bytes);
  truncate($index, $one->{index_bytes});
}

sub note {
  my ($one, $time_us) = @_;
  my $line = sprintf("%016d %016d\n", $one->{end}, $time_us);
  sysseek($one->{index}, $one->{index_bytes}, 0);
  if ((syswrite($one->{index}, $line) // 0) == $entry_bytes) {
    $one->{index_bytes} += $entry_bytes;
    $one->{room} -= $entry_bytes;
    $one->{owed_us} = 0;
  } else {
    truncate($one->{index}, $one->{index_bytes});
    $one->{owed_us} = $time_us;
  }
}

# Write what a full disk did not take before. Returns whether all of it is written.
sub write_owed {
  my ($one) = @_;
  return 1 unless $one->{owed_us};
  my $written = syswrite($one->{data}, $one->{owed_rest}) // 0;
  $one->{end} += $written;
  $one->{room} -= $written;
  $one->{owed_rest} = substr($one->{owed_rest}, $written);
  note($one, $one->{owed_us}) unless length $one->{owed_rest};
  return !$one->{owed_us};
}

# How many bytes the last line in the files has, when its newline has not come yet; 0 when it has. Counting stops at the longest line.
sub open_line_bytes {
  my ($one) = @_;
  my $bytes = 0;
  for my $at (reverse starts($one)) {
    open(my $file, '<', "$one->{dir}/$at.data") or next;
    my $size = -s $file or next;
    my $from = $size > $max_line ? $size - $max_line : 0;
    sysseek($file, $from, 0);
    sysread($file, my $text, $max_line);
    my $newline = rindex($text, "\n");
    return $bytes + length($text) - $newline - 1 if $newline >= 0;
    $bytes += length $text;
    last if $bytes >= $max_line;
  }
  return $bytes;
}

# ---- what is being thrown away

# Without this file chunks are thrown away as well, but a kill then leaves one of them out of the counts.
sub open_lost {
  my ($one) = @_;
  sysopen(my $file, "$one->{dir}/lost", O_RDWR | O_CREAT, 0600) or return;
  # All of it is written now, so that it can be overwritten when the disk is full.
  return unless (-s $file) >= $lost_bytes || write_at($file, 0, "\0" x $lost_bytes);
  $one->{lost} = $file;
}

# Save the state after the last chunk. 'is_taking': a chunk that is found in the file has not been counted in it.
sub save_state {
  my ($one, $is_taking) = @_;
  return unless $one->{lost};
  my @numbers = map { $one->{$_} // $unknown } qw(inside_lost area dropped refused owed_from owed_length open_line);
  my $state = pack('C3 C Q4 N n/a', $is_taking, $one->{why} eq 'refused', @numbers, $one->{tail});
  # A file that cannot be trusted is not used: this disk has no room to overwrite a file in its place.
  delete $one->{lost} unless write_at($one->{lost}, 0, $state);
}

sub owed_place { return $head_bytes + $chunk_bytes + $_[0]{area} * $owed_bytes }

# Save the state with what is owed. The place that the head names is not touched before the new head is written.
sub save_all {
  my ($one) = @_;
  return unless $one->{lost};
  $one->{area} = 1 - $one->{area};
  @$one{'owed_from', 'owed_length'} = ($one->{end}, length $one->{owed_rest});
  if (length $one->{owed_rest}) { delete $one->{lost} unless write_at($one->{lost}, owed_place($one), $one->{owed_rest}) }
  save_state($one, 0);
}

# Go on where a catcher was ended: with the line that it was in, with what it owed, and with the chunk that it had taken and not counted.
sub go_on {
  my ($one) = @_;
  return unless $one->{lost};
  my ($is_taking, $is_refused, $inside, $area, $dropped, $refused, $from, $length, $open_line, $tail) =
    unpack('C3 C Q4 N n/a', read_at($one->{lost}, 0, $head_bytes));
  my $written = $one->{end} - $from;
  @$one{'why', 'inside_lost', 'area', 'tail'} = ($is_refused ? 'refused' : 'dropped', $inside, $area, $tail);
  @$one{'owed_from', 'owed_length'} = ($from, $length);
  $one->{dropped} = $dropped if $dropped > $one->{dropped};
  $one->{refused} = $refused if $refused > $one->{refused};
  # Not when bytes were moved since.
  $one->{open_line} = $open_line if $written <= $length && $open_line != $unknown;
  if ($written < $length) {
    $one->{owed_rest} = substr(read_at($one->{lost}, owed_place($one), $length), $written);
    $one->{owed_us} = now_us();
  }
  my $chunk = $is_taking ? read_at($one->{lost}, $head_bytes, $chunk_bytes) =~ s/\0+\z//r : '';
  throw_away($one, $one->{why}, $chunk) if length $chunk;
  save_state($one, 0);
  return unless $one->{lost};
  delete $one->{lost} unless write_at($one->{lost}, $head_bytes, "\0" x $chunk_bytes);
}

# Take a chunk from the FIFO.
sub take {
  my ($one, $why) = @_;
  my $chunk = '';
  if ($one->{lost}) {
    local $one->{why} = $why;
    save_state($one, 1);
  }
  if ($one->{lost}) {
    sysseek($one->{lost}, $head_bytes, 0);
    my $moved = syscall($splice, fileno($one->{in}), 0, fileno($one->{lost}), 0, $chunk_bytes, 2);
    return read_at($one->{lost}, $head_bytes, $moved) if $moved > 0;
    return '' unless $moved < 0 && $! == ENOSPC;
    delete $one->{lost};
  }
  sysread($one->{in}, $chunk, $chunk_bytes);
  return $chunk // '';
}

# ---- catching

sub open_sliver {
  my ($name, $fifo) = @_;
  my $one = { dir => "$dir/$name", fifo => $fifo, room => 1, measured_us => 0, owed_rest => '', owed_us => 0 };
  @$one{'dropped_told', 'refused_told', 'inside_lost', 'open_line', 'why', 'area'} = (-1, -1, 0, undef, 'dropped', 0);
  sysopen($one->{lock}, "$one->{dir}/lock", O_RDWR | O_CREAT, 0600) or die "lock: $!\n";
  flock($one->{lock}, LOCK_EX | LOCK_NB) or die "another catcher is at work\n";
  write_text($one->{lock}, "$$\n");
  sysopen($one->{in}, $fifo, O_RDWR | O_NONBLOCK) or die "$fifo: $!\n";
  fcntl($one->{in}, 1031, 1048576); # F_SETPIPE_SZ: room for a burst; the default serves too.
  $one->{dropped} = read_first("$one->{dir}/dropped", 20) =~ /^(\d+)$/ ? $1 + 0 : 0;
  my $refused = read_first("$one->{dir}/refused", 299);
  ($one->{refused}, $one->{example}) = $refused =~ /^(\d{20}) (.*?) *\d{20}\n/s ? ($1 + 0, $2) : (0, '');
  # Both files are written now, so that they can be overwritten when the disk is full.
  tell_dropped($one);
  tell_refused($one);
  @$one{'tokens', 'run_ends', 'refilled_us', 'tail'} = ($burst_bytes, $burst_run_ends, monotonic_us(), '');
  # A catcher that was killed may have moved bytes of which the index does not tell.
  open_segment($one, (starts($one))[-1] // '0' x 16);
  my $known = $one->{start} + 0;
  if ($one->{index_bytes}) {
    sysseek($one->{index}, $one->{index_bytes} - $entry_bytes, 0);
    sysread($one->{index}, my $line, $entry_bytes);
    $known = (split ' ', $line)[0] + 0;
  }
  note($one, now_us()) if $known < $one->{end};
  measure_room($one);
  open_lost($one);
  go_on($one);
  return $one;
}

# Keep the lines of a lost chunk that tell of the end of a run, as far as the reserve goes. Returns how many.
sub keep_run_ends {
  my ($one, $chunk) = @_;
  my $bytes_left = $reserve_bytes + ($one->{room} < 0 ? $one->{room} : 0) - length $one->{owed_rest};
  # The chunk before has perhaps ended within such a line.
  my $text = ($one->{inside_lost} ? $one->{tail} : '') . $chunk;
  my $kept = 0;
  while ($text =~ /^($run_end [^\n]{1,$longest_run_end}\n)/mg) {
    $bytes_left -= $entry_bytes + length $1;
    last if $one->{run_ends} < 1 || $bytes_left < 0 || length($one->{owed_rest}) + length $1 > $longest_owed;
    $one->{run_ends}--;
    $one->{owed_rest} .= $1;
    $kept++;
  }
  $one->{tail} = substr($text, rindex($text, "\n") + 1, $longest_run_end + 20);
  $one->{owed_us} = now_us() if $kept;
  return $kept;
}

# Take a chunk and throw it away. Tells whether there was any.
sub lose {
  my ($one, $why) = @_;
  # It is looked up once. It changes only when bytes are moved.
  $one->{open_line} //= open_line_bytes($one);
  my $chunk = take($one, $why);
  return 0 unless length $chunk;
  throw_away($one, $why, $chunk);
  if ($one->{lost}) { delete $one->{lost} unless write_at($one->{lost}, $head_bytes, "\0" x length $chunk) }
  return 1;
}

# Count the lines of a chunk as 'dropped' or 'refused'. Where the files end within a line, the rest of that line is kept, up to the longest line. Nothing is
# written before all of it is known and saved, so that it is done once.
sub throw_away {
  my ($one, $why, $chunk) = @_;
  if ($one->{open_line}) {
    my $at = index($chunk, "\n");
    my $rest = $at < 0 ? $chunk : substr($chunk, 0, $at);
    my $left = $max_line - $one->{open_line};
    $rest = $left > 0 ? substr($rest, 0, $left) : '';
    $one->{open_line} += length $rest;
    if ($at >= 0) {
      $rest .= "\n";
      $one->{open_line} = 0;
    }
    $chunk = $at < 0 ? '' : substr($chunk, $at + 1);
    if (length $rest) {
      $one->{owed_rest} .= $rest;
      $one->{owed_us} = now_us();
    }
  }
  if (length $chunk) {
    $one->{why} = $why;
    my $lines = ($chunk =~ tr/\n//) - keep_run_ends($one, $chunk);
    $one->{inside_lost} = substr($chunk, -1) ne "\n" ? 1 : 0;
    if ($lines && $why eq 'refused') {
      my ($line) = $chunk =~ /^([^\n]{1,256})\n/m;
      $one->{example} = ($line // '') =~ tr/\x20-\x7e/?/cr;
    }
    $one->{$why} += $lines;
  }
  save_all($one);
  write_owed($one);
  tell_counts($one);
}

# Move what a sliver has written, one chunk at most. Tells whether there was any.
sub catch {
  my ($one) = @_;
  tell_counts($one);
  my $now = monotonic_us();
  $one->{tokens} += ($now - $one->{refilled_us}) * $bytes_per_s / 1000000;
  $one->{tokens} = $burst_bytes if $one->{tokens} > $burst_bytes;
  $one->{run_ends} += ($now - $one->{refilled_us}) * $run_ends_per_s / 1000000;
  $one->{run_ends} = $burst_run_ends if $one->{run_ends} > $burst_run_ends;
  $one->{refilled_us} = $now;
  my $paid = write_owed($one);
  # Not while an entry of the index is missing: the agent does not look for it any more once another segment follows.
  if ($paid && ($one->{end} - $one->{start} >= $segment_bytes || $one->{index_bytes} >= $segment_bytes)) {
    open_segment($one, sprintf('%016d', $one->{end}));
    measure_room($one);
  }
  measure_room($one) if $one->{room} <= 0;
  return lose($one, 'dropped') unless $paid && $one->{room} > 0;
  return lose($one, 'refused') if $one->{tokens} <= 0;
  # The end of a line whose beginning was thrown away.
  return lose($one, $one->{why}) if $one->{inside_lost};
  my $moved = syscall($splice, fileno($one->{in}), 0, fileno($one->{data}), 0, $chunk_bytes, 2);
  if ($moved > 0) {
    $one->{open_line} = undef;
    $one->{end} += $moved;
    $one->{room} -= $moved;
    $one->{tokens} -= $moved;
    note($one, now_us());
    return 1;
  }
  return 0 if $moved == 0 || $! == EAGAIN || $! == EINTR;
  die "splice: $!\n" unless $! == ENOSPC;
  return lose($one, 'dropped');
}

# Move what is still in the FIFO. The number of chunks has a bound, so that a writer that goes on does not keep the others waiting.
# What a full disk did not take is written by the catcher that opens this sliver again; when none will, its lines are dropped.
sub finish {
  my ($one, $is_last) = @_;
  for (1 .. 64) { last unless catch($one) }
  if ($is_last || !$one->{lost}) {
    my $lines = $one->{owed_rest} =~ tr/\n//;
    # The agent tells of a line whose end is not in the files.
    $lines-- if $lines && open_line_bytes($one);
    $one->{dropped} += $lines;
    @$one{'owed_rest', 'owed_us'} = ('', 0);
    save_all($one);
  }
  tell_counts($one);
}

# ---- what is wanted

# Read the list: its serial, and a task for each sliver. Empty when it is not whole, as an agent of version 0.1 could leave it.
sub read_wanted {
  open(my $file, '<', "$dir/wanted") or return;
  my ($head, @lines) = <$file>;
  my ($its_version, $serial) = split ' ', $head // '';
  return unless defined $serial && $its_version == $version && (pop(@lines) // '') eq "end $serial\n";
  return ($serial, map { /^([^\t]+)\t(catch|end)\t(.+)$/ ? { name => $1, task => $2, fifo => $3 } : () } @lines);
}

# Tell whether the FIFO that is open is still the one at this path.
sub is_open {
  my ($one, $fifo) = @_;
  my ($open, $found) = map { join ' ', (stat $_)[0, 1] } $one->{in}, $fifo;
  return $one->{fifo} eq $fifo && $open eq $found;
}

# Do the task of a sliver. Returns its state.
sub do_task {
  my ($name, $task, $fifo) = @_;
  if (my $one = $slivers{$name}) {
    return 'ok' if $task eq 'catch' && is_open($one, $fifo);
    finish($one, $task eq 'end');
    delete $slivers{$name};
  } elsif ($task eq 'end') {
    # Ended before, or removed.
    return 'ended' if ($ended{$name} // '') eq $fifo || !-d "$dir/$name" || !-e $fifo && $! == ENOENT;
    finish(open_sliver($name, $fifo), 1);
  }
  if ($task eq 'end') {
    $ended{$name} = $fifo;
    return 'ended';
  }
  my $one = open_sliver($name, $fifo);
  catch($one);
  $slivers{$name} = $one;
  return 'ok';
}

# Note a failure in the log, whose size has a bound.
sub complain {
  my ($name, $why) = @_;
  warn "$name: $why" if (-s STDERR // 0) < 65536;
}

# Do what is wanted, and answer. What has failed, or cannot be told because the disk is full, is tried again.
sub obey {
  $obeyed_us = monotonic_us();
  $is_answered = 0;
  my ($serial, @tasks) = read_wanted() or return;
  my %listed = map { $_->{name} => $_ } @tasks;
  for my $name (grep { !$listed{$_} } keys %slivers) {
    eval { finish($slivers{$name}); 1 } or complain($name, $@);
    delete $slivers{$name};
  }
  for my $name (grep { ($listed{$_}{task} // '') ne 'end' } keys %ended) { delete $ended{$name} }
  my ($text, $failed) = ("$version $serial $$\n", 0);
  for my $one (@tasks) {
    my $state = eval { do_task(@$one{'name', 'task', 'fifo'}) };
    if (!defined $state) {
      $state = $@ =~ s/[\n\t]/ /gr;
      $failed = 1;
    }
    $text .= "$one->{name}\t$state\n";
  }
  $text .= "end $serial\n";
  if ($text ne $answer) {
    sysopen(my $file, "$dir/caught", O_RDWR | O_CREAT, 0600) or return;
    write_text($file, $text) or return;
    $answer = $text;
  }
  $is_answered = !$failed;
}

# The agent may end before its catcher does: what goes wrong from now on is told in a file.
open(STDERR, '>', "$dir/log") or die "log: $!\n";
obey();
print "ready\n";
close(STDOUT);
until ($stop) {
  exit 0 if !%slivers && $is_answered;
  my $readable = '';
  vec($readable, fileno($_), 1) = 1 for $wake, map { $_->{in} } values %slivers;
  my $is_owing = !$is_answered || grep { $_->{owed_us} || $_->{dropped} != $_->{dropped_told} } values %slivers;
  my $found = select($readable, undef, undef, $is_owing ? 1 : 60);
  my $began = monotonic_us();
  if ($found > 0 && vec($readable, fileno($wake), 1)) {
    sysread($wake, my $nothing, 4096);
    obey();
  } elsif (!$is_answered && $began - $obeyed_us > 1000000) { obey() }
  for my $name (keys %slivers) {
    my $one = $slivers{$name};
    next unless $found > 0 && vec($readable, fileno($one->{in}), 1) || $is_owing;
    next if eval { catch($one); 1 };
    # Its folder is gone, or its disk fails. The others are caught on, and this one is tried again in a second.
    complain($name, $@);
    delete $slivers{$name};
    $is_answered = 0;
  }
  # Waiting a millisecond lets lines that come close together be moved together, which is a tenth of the work.
  my $busy_us = monotonic_us() - $began;
  select(undef, undef, undef, ($busy_us > 333 ? 3 * $busy_us : 1000) / 1000000);
}
finish($_) for values %slivers;
