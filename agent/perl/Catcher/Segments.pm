# The files of a sliver's stream: segments of its bytes, each with an index of the times at which they came.
package Catcher::Segments;
use strict;
use warnings;
use Exporter 'import';
use Fcntl;
use Catcher::Files qw(monotonic_us now_us);
use Catcher::Settings qw($chunk_bytes $entry_bytes $max_bytes $max_line);
our @EXPORT_OK = qw(segment_starts open_newest open_segment measure_room add_to_index write_owed open_line_bytes);

sub segment_starts {
  my ($stream) = @_;
  opendir(my $folder, $stream->{dir}) or die "$stream->{dir}: $!\n";
  return sort map { /^(\d{16})\.data$/ ? $1 : () } readdir $folder;
}

# Compute for how many bytes there is room. The agent makes room by removing the segments that it has read.
sub measure_room {
  my ($stream) = @_;
  my $now = monotonic_us();
  return if $stream->{room} <= 0 && $now - $stream->{measured_us} < 50000;
  opendir(my $folder, $stream->{dir}) or die "$stream->{dir}: $!\n";
  $stream->{measured_us} = $now;
  $stream->{room} = $max_bytes;
  for (readdir $folder) { $stream->{room} -= (-s "$stream->{dir}/$_") // 0 if /\.(data|index)$/ }
}

sub open_segment {
  my ($stream, $start) = @_;
  sysopen(my $data, "$stream->{dir}/$start.data", O_RDWR | O_CREAT, 0600) or die "data: $!\n";
  sysopen(my $index, "$stream->{dir}/$start.index", O_RDWR | O_CREAT | O_APPEND, 0600) or die "index: $!\n";
  @$stream{'start', 'data', 'index'} = ($start, $data, $index);
  $stream->{end} = $start + sysseek($data, 0, 2);
  $stream->{index_bytes} = $entry_bytes * int(sysseek($index, 0, 2) / $entry_bytes);
  truncate($index, $stream->{index_bytes});
}

sub add_to_index {
  my ($stream, $time_us) = @_;
  if ((syswrite($stream->{index}, sprintf("%016d %016d\n", $stream->{end}, $time_us)) // 0) == $entry_bytes) {
    $stream->{index_bytes} += $entry_bytes;
    $stream->{room} -= $entry_bytes;
    $stream->{owed_us} = 0;
  } else {
    truncate($stream->{index}, $stream->{index_bytes});
    ($stream->{owed_us}, $stream->{unchecked}) = ($time_us, 0);
  }
}

# Write the bytes that a full disk did not take earlier. Returns whether all are written.
sub write_owed {
  my ($stream) = @_;
  return 1 unless $stream->{owed_us};
  my $written = syswrite($stream->{data}, $stream->{owed_rest}) // 0;
  $stream->{end} += $written;
  $stream->{room} -= $written;
  $stream->{owed_rest} = substr($stream->{owed_rest}, $written);
  add_to_index($stream, $stream->{owed_us}) unless length $stream->{owed_rest};
  return !$stream->{owed_us};
}

# Return the length of the last line in the files when it has no newline yet; otherwise 0. Counting stops at the longest line.
sub open_line_bytes {
  my ($stream) = @_;
  my $bytes = 0;
  for my $at (reverse segment_starts($stream)) {
    open(my $file, '<', "$stream->{dir}/$at.data") or next;
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

# Return how many bytes of the stream are in the index. A killed catcher may have moved more.
sub indexed_end {
  my ($stream) = @_;
  return $stream->{start} + 0 unless $stream->{index_bytes};
  sysseek($stream->{index}, $stream->{index_bytes} - $entry_bytes, 0);
  sysread($stream->{index}, my $line, $entry_bytes);
  return (split ' ', $line)[0] + 0;
}

# Open the newest segment, or create the first one.
sub open_newest {
  my ($stream) = @_;
  open_segment($stream, (segment_starts($stream))[-1] // '0' x 16);
  add_to_index($stream, now_us()) if indexed_end($stream) < $stream->{end};
  measure_room($stream);
}

1;
