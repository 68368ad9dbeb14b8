# The arguments of the catcher, and the sizes of its files.
package Catcher::Settings;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT_OK = qw(
  configure $dir $segment_bytes $max_bytes $bytes_per_s $burst_bytes $splice $clock $entry_bytes $max_line $chunk_bytes
);

# The catcher's folder; the most bytes of one segment and of all segments of a sliver; how many bytes
# a sliver may write per second, and at once; the numbers of splice(2) and clock_gettime(2) on this processor.
our ($dir, $segment_bytes, $max_bytes, $bytes_per_s, $burst_bytes, $splice, $clock);
# The size of an entry of the index, the longest line, and the most bytes that are moved at once.
our ($entry_bytes, $max_line, $chunk_bytes) = (34, 4096, 65536);

sub configure { ($dir, $segment_bytes, $max_bytes, $bytes_per_s, $burst_bytes, $splice, $clock) = @_ }

1;
