# Lines that a sliver writes too fast, or that exceed the limit of its files, are discarded and counted. Each chunk of them is moved into the file 'lost' first.
# So a catcher that is started after a kill finds the chunk that was not counted, and continues from there.
#
# The file has a head, space for a chunk, and two spaces for the owed text: bytes that a full disk did not take yet. The head says which of the two is the
# current one.
package Catcher::Lost;
use strict;
use warnings;
use Errno qw(ENOSPC);
use Exporter 'import';
use Fcntl;
use Catcher::Counts qw(save_counts);
use Catcher::Files qw(now_us read_at write_at);
use Catcher::Segments qw(open_line_bytes write_owed);
use Catcher::Settings qw($chunk_bytes $max_line $splice);
our @EXPORT_OK = qw(open_lost resume_throwing_away save_lost take_and_throw_away);

my ($head_bytes, $owed_bytes, $unknown) = (4096, 24576, 0xffffffff);
my $lost_bytes = $head_bytes + $chunk_bytes + 2 * $owed_bytes;

# Without this file chunks are discarded as well, but then a kill leaves one of them out of the counts.
sub open_lost {
  my ($stream) = @_;
  sysopen(my $file, "$stream->{dir}/lost", O_RDWR | O_CREAT, 0600) or return;
  # The whole file is written now, so that it can be overwritten when the disk is full.
  return unless (-s $file) >= $lost_bytes || write_at($file, 0, "\0" x $lost_bytes);
  $stream->{lost} = $file;
}

# Save the state after the last chunk. 'is_taking' means that this state does not count the chunk that is in the file.
sub save_lost_state {
  my ($stream, $is_taking) = @_;
  return unless $stream->{lost};
  my @numbers = map { $stream->{$_} // $unknown } qw(inside_lost area dropped refused owed_from owed_length open_line);
  my $state = pack('C3 C Q4 N', $is_taking, $stream->{why} eq 'refused', @numbers);
  # After a failed write the file is not used any more: even overwriting in place fails on this disk.
  delete $stream->{lost} unless write_at($stream->{lost}, 0, $state);
}

sub owed_at { return $head_bytes + $chunk_bytes + $_[0]{area} * $owed_bytes }

# Save the state with the owed text. The text goes into the space that the head does not refer to, so it is not overwritten before the new head is written.
sub save_lost {
  my ($stream) = @_;
  return unless $stream->{lost};
  $stream->{area} = 1 - $stream->{area};
  @$stream{'owed_from', 'owed_length'} = ($stream->{end}, length $stream->{owed_rest});
  if (length $stream->{owed_rest}) { delete $stream->{lost} unless write_at($stream->{lost}, owed_at($stream), $stream->{owed_rest}) }
  save_lost_state($stream, 0);
}

# Continue where a catcher was ended: with its incomplete line, with the text that it owed, and with the chunk that it had taken and not counted.
sub resume_throwing_away {
  my ($stream) = @_;
  return unless $stream->{lost};
  my ($is_taking, $is_refused, $inside, $area, $dropped, $refused, $from, $length, $open_line) =
    unpack('C3 C Q4 N', read_at($stream->{lost}, 0, $head_bytes));
  my $written = $stream->{end} - $from;
  @$stream{'why', 'inside_lost', 'area'} = ($is_refused ? 'refused' : 'dropped', $inside, $area);
  @$stream{'owed_from', 'owed_length'} = ($from, $length);
  $stream->{dropped} = $dropped if $dropped > $stream->{dropped};
  $stream->{refused} = $refused if $refused > $stream->{refused};
  # It is unknown when bytes were moved since.
  $stream->{open_line} = $open_line if $written <= $length && $open_line != $unknown;
  if ($written < $length) {
    $stream->{owed_rest} = substr(read_at($stream->{lost}, owed_at($stream), $length), $written);
    $stream->{owed_us} = now_us();
  }
  my $chunk = $is_taking ? read_at($stream->{lost}, $head_bytes, $chunk_bytes) =~ s/\0+\z//r : '';
  throw_away($stream, $stream->{why}, $chunk) if length $chunk;
  save_lost_state($stream, 0);
  return unless $stream->{lost};
  delete $stream->{lost} unless write_at($stream->{lost}, $head_bytes, "\0" x $chunk_bytes);
}

# Take a chunk from the FIFO.
sub take_chunk {
  my ($stream, $why) = @_;
  my $chunk = '';
  if ($stream->{lost}) {
    local $stream->{why} = $why;
    save_lost_state($stream, 1);
  }
  if ($stream->{lost}) {
    sysseek($stream->{lost}, $head_bytes, 0);
    my $moved = syscall($splice, fileno($stream->{in}), 0, fileno($stream->{lost}), 0, $chunk_bytes, 2);
    return read_at($stream->{lost}, $head_bytes, $moved) if $moved > 0;
    return '' unless $moved < 0 && $! == ENOSPC;
    delete $stream->{lost};
  }
  sysread($stream->{in}, $chunk, $chunk_bytes);
  return $chunk // '';
}

# Take a chunk and discard it. Returns whether there was one.
sub take_and_throw_away {
  my ($stream, $why) = @_;
  # The value is computed once, because it changes only when bytes are moved.
  $stream->{open_line} //= open_line_bytes($stream);
  my $chunk = take_chunk($stream, $why);
  return 0 unless length $chunk;
  throw_away($stream, $why, $chunk);
  if ($stream->{lost}) { delete $stream->{lost} unless write_at($stream->{lost}, $head_bytes, "\0" x length $chunk) }
  return 1;
}

# Count the lines of a chunk as 'dropped' or 'refused'. When the files end within a line, the rest of that line is kept, up to the longest line. The whole
# result is saved before anything is written, so that a kill does not repeat a part.
sub throw_away {
  my ($stream, $why, $chunk) = @_;
  # Nothing is moved before what is owed, even when there is room again.
  $stream->{unchecked} = 0;
  $stream->{open_line} //= open_line_bytes($stream);
  if ($stream->{open_line}) {
    my $at = index($chunk, "\n");
    my $rest = $at < 0 ? $chunk : substr($chunk, 0, $at);
    my $left = $max_line - $stream->{open_line};
    $rest = $left > 0 ? substr($rest, 0, $left) : '';
    $stream->{open_line} += length $rest;
    if ($at >= 0) {
      $rest .= "\n";
      $stream->{open_line} = 0;
    }
    $chunk = $at < 0 ? '' : substr($chunk, $at + 1);
    if (length $rest) {
      $stream->{owed_rest} .= $rest;
      $stream->{owed_us} = now_us();
    }
  }
  if (length $chunk) {
    $stream->{why} = $why;
    my $lines = $chunk =~ tr/\n//;
    $stream->{inside_lost} = substr($chunk, -1) ne "\n" ? 1 : 0;
    if ($lines && $why eq 'refused') {
      my ($line) = $chunk =~ /^([^\n]{1,256})\n/m;
      $stream->{example} = ($line // '') =~ tr/\x20-\x7e/?/cr;
    }
    $stream->{$why} += $lines;
  }
  save_lost($stream);
  write_owed($stream);
  save_counts($stream);
}

1;
