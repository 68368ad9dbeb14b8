# The numbers of lost lines of a sliver, in files that are overwritten in place.
package Catcher::Counts;
use strict;
use warnings;
use Exporter 'import';
use Fcntl;
use Catcher::Files qw(read_first write_text);
our @EXPORT_OK = qw(save_counts load_counts);

sub save_dropped {
  my ($stream) = @_;
  sysopen(my $file, "$stream->{dir}/dropped", O_RDWR | O_CREAT, 0600) or return;
  $stream->{dropped_saved} = $stream->{dropped} if write_text($file, sprintf("%020d\n", $stream->{dropped}));
}

# The file begins and ends with the number, so that a reader sees when it is being written.
sub save_refused {
  my ($stream) = @_;
  sysopen(my $file, "$stream->{dir}/refused", O_RDWR | O_CREAT, 0600) or return;
  my $line = sprintf("%020d %-256s %020d\n", $stream->{refused}, $stream->{example}, $stream->{refused});
  $stream->{refused_saved} = $stream->{refused} if write_text($file, $line);
}

sub save_counts {
  my ($stream) = @_;
  save_dropped($stream) if $stream->{dropped} != $stream->{dropped_saved};
  save_refused($stream) if $stream->{refused} != $stream->{refused_saved};
}

# Read the counts of the previous catcher, and write both files now, so that they can be overwritten when the disk is full.
sub load_counts {
  my ($stream) = @_;
  $stream->{dropped} = read_first("$stream->{dir}/dropped", 20) =~ /^(\d+)$/ ? $1 + 0 : 0;
  my $refused = read_first("$stream->{dir}/refused", 299);
  ($stream->{refused}, $stream->{example}) = $refused =~ /^(\d{20}) (.*?) *\d{20}\n/s ? ($1 + 0, $2) : (0, '');
  save_dropped($stream);
  save_refused($stream);
}

1;
