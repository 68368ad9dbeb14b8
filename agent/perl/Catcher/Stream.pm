# The stream of one sliver: the bytes that its programs write into its FIFO.
package Catcher::Stream;
use strict;
use warnings;
use Errno qw(EAGAIN EINTR ENOSPC);
use Exporter 'import';
use Fcntl qw(:DEFAULT :flock);
use Catcher::Counts qw(load_counts save_counts);
use Catcher::Files qw(monotonic_us now_us write_text);
use Catcher::Lost qw(open_lost resume_throwing_away save_lost take_and_throw_away);
use Catcher::Segments qw(add_to_index measure_room open_line_bytes open_newest open_segment write_owed);
use Catcher::Settings qw($burst_bytes $bytes_per_s $chunk_bytes $dir $entry_bytes $segment_bytes $splice);
our @EXPORT_OK = qw(open_stream catch empty finish is_fifo_open);

sub open_stream {
  my ($name, $fifo) = @_;
  my $stream = { dir => "$dir/$name", fifo => $fifo, room => 1, unchecked => 0, measured_us => 0, owed_rest => '', owed_us => 0 };
  @$stream{'dropped_saved', 'refused_saved', 'inside_lost', 'open_line', 'why', 'area'} = (-1, -1, 0, undef, 'dropped', 0);
  sysopen($stream->{lock}, "$stream->{dir}/lock", O_RDWR | O_CREAT, 0600) or die "lock: $!\n";
  flock($stream->{lock}, LOCK_EX | LOCK_NB) or die "another catcher is at work\n";
  write_text($stream->{lock}, "$$\n");
  sysopen($stream->{in}, $fifo, O_RDWR | O_NONBLOCK) or die "$fifo: $!\n";
  $stream->{in_fd} = fileno($stream->{in});
  fcntl($stream->{in}, 1031, 1048576); # F_SETPIPE_SZ: room for a burst. The default size is sufficient, too.
  load_counts($stream);
  @$stream{'tokens', 'refilled_us'} = ($burst_bytes, monotonic_us());
  open_newest($stream);
  open_lost($stream);
  resume_throwing_away($stream);
  return $stream;
}

# Move what a sliver has written, at most one chunk. Returns whether there was any. The second argument is the monotonic clock, when the caller has just
# read it.
sub catch {
  my ($stream, $now) = @_;
  my $why = $stream->{unchecked} > 0 ? undef : check_limits($stream, $now);
  return take_and_throw_away($stream, $why) if defined $why;
  my $moved = syscall($splice, $stream->{in_fd}, 0, fileno($stream->{data}), 0, $chunk_bytes, 2);
  if ($moved > 0) {
    $stream->{open_line} = undef;
    $stream->{end} += $moved;
    $stream->{room} -= $moved;
    $stream->{tokens} -= $moved;
    $stream->{unchecked} -= $moved + $entry_bytes;
    add_to_index($stream, now_us());
    return 1;
  }
  return 0 if $moved == 0 || $! == EAGAIN || $! == EINTR;
  die "splice: $!\n" unless $! == ENOSPC;
  return take_and_throw_away($stream, 'dropped');
}

# Write what is owed, and begin a new segment when it is time. Returns why the next lines are discarded, or undef. Then so many 'unchecked' bytes may be moved
# before a limit can be met.
sub check_limits {
  my ($stream, $now) = @_;
  $stream->{unchecked} = 0;
  save_counts($stream);
  $now //= monotonic_us();
  $stream->{tokens} += ($now - $stream->{refilled_us}) * $bytes_per_s / 1000000;
  $stream->{tokens} = $burst_bytes if $stream->{tokens} > $burst_bytes;
  $stream->{refilled_us} = $now;
  my $is_written = write_owed($stream);
  # The segment stays open while an entry of its index is missing: the agent ignores that entry when another segment exists.
  if ($is_written && ($stream->{end} - $stream->{start} >= $segment_bytes || $stream->{index_bytes} >= $segment_bytes)) {
    open_segment($stream, sprintf('%016d', $stream->{end}));
    measure_room($stream);
  }
  measure_room($stream) if $stream->{room} <= 0;
  return 'dropped' unless $is_written && $stream->{room} > 0;
  return 'refused' if $stream->{tokens} <= 0;
  # This is the rest of a line whose beginning was discarded.
  return $stream->{why} if $stream->{inside_lost};
  return undef unless $stream->{dropped} == $stream->{dropped_saved} && $stream->{refused} == $stream->{refused_saved};
  my ($data_left, $index_left) = ($segment_bytes + $stream->{start} - $stream->{end}, $segment_bytes - $stream->{index_bytes});
  for ($data_left, $index_left, @$stream{'room', 'tokens'}) {
    $stream->{unchecked} = $_ if !$stream->{unchecked} || $_ < $stream->{unchecked};
  }
  return undef;
}

# Move what is in the FIFO. The number of chunks is limited, so that a writer that continues does not delay the others; it is more than a FIFO can hold.
sub empty {
  my ($stream) = @_;
  for (1 .. 64) { last unless catch($stream) }
}

# Move what is still in the FIFO. If a catcher will open this sliver
# again, it writes the bytes that a full disk did not take; otherwise, or without the file 'lost', their lines count as dropped.
sub finish {
  my ($stream, $is_last) = @_;
  empty($stream);
  if ($is_last || !$stream->{lost}) {
    my $lines = $stream->{owed_rest} =~ tr/\n//;
    # The agent reports a line whose end is not in the files.
    $lines-- if $lines && open_line_bytes($stream);
    $stream->{dropped} += $lines;
    @$stream{'owed_rest', 'owed_us'} = ('', 0);
    save_lost($stream);
  }
  save_counts($stream);
}

# Tell whether the open FIFO is still the one at this path.
sub is_fifo_open {
  my ($stream, $fifo) = @_;
  my ($open, $found) = map { join ' ', (stat $_)[0, 1] } $stream->{in}, $fifo;
  return $stream->{fifo} eq $fifo && $open eq $found;
}

1;
