# Syncing: what was moved into the files is on the disk about a second later, so that a power cut takes no more than that.
package Catcher::Sync;
use strict;
use warnings;
use Exporter 'import';
use IO::Handle;
use Catcher::Segments qw(segment_starts);
our @EXPORT_OK = qw(sync_moved);

# The process that syncs.
my $child = 0;

# Sync the files of the streams that have moved bytes since the last time. A disk may take long, and lines must not wait for it, so a
# process of its own does it. Returns whether there was nothing to do; otherwise this is called again in a second.
sub sync_moved {
  my ($lock, @streams) = @_;
  my @moved = grep { $_->{end} != ($_->{synced_end} // -1) } @streams;
  return 1 unless @moved;
  # The signal 0 only asks whether the process is there. Nobody waits for it: see SIGCHLD in catcher.pl.
  return 0 if $child && kill(0, $child);
  my $pid = fork;
  # Without a process it is tried again in a second.
  return 0 unless defined $pid;
  if ($pid == 0) {
    # The locks are those of the catcher alone, also when it is killed meanwhile.
    close($_) for $lock, map { $_->{lock} } @streams;
    $0 = 'catcher: sync';
    sync_files($_) for @moved;
    exit 0;
  }
  $child = $pid;
  @$_{'synced_end', 'synced_start'} = @$_{'end', 'start'} for @moved;
  return 0;
}

# Sync the segments that may have got bytes since the last time: that which was open then, and all later ones. The data goes first, because entries of
# the index tell of them; then the names of both. One that the agent has read meanwhile is gone.
sub sync_files {
  my ($stream) = @_;
  for my $start (segment_starts($stream)) {
    next if $start < ($stream->{synced_start} // 0);
    for my $kind ('data', 'index') {
      open(my $file, '<', "$stream->{dir}/$start.$kind") or next;
      $file->sync;
    }
  }
  open(my $folder, '<', $stream->{dir}) or return;
  $folder->sync;
}

1;
