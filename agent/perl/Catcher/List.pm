# The two lists with which agent and catcher communicate: 'wanted', and its answer 'caught'.
package Catcher::List;
use strict;
use warnings;
use Exporter 'import';
use Fcntl;
use Catcher::Files qw(write_text);
use Catcher::Settings qw($dir);
our @EXPORT_OK = qw(read_wanted write_caught);

my ($version, $answer) = (3, '');

# Read the list: its serial, and a task for each sliver. The result is empty when the list is incomplete, as an agent of version 0.1 could leave it.
sub read_wanted {
  open(my $file, '<', "$dir/wanted") or return;
  my ($head, @lines) = <$file>;
  my ($its_version, $serial) = split ' ', $head // '';
  return unless defined $serial && $its_version == $version && (pop(@lines) // '') eq "end $serial\n";
  return ($serial, map { /^([^\t]+)\t(catch|end)\t(.+)$/ ? { name => $1, task => $2, fifo => $3 } : () } @lines);
}

# Write the answer to a list: the state of each task. The file is overwritten in place. Returns whether it was written completely.
sub write_caught {
  my ($serial, @states) = @_;
  my $text = join('', "$version $serial $$\n", map({ "$_->{name}\t$_->{state}\n" } @states), "end $serial\n");
  return 1 if $text eq $answer;
  sysopen(my $file, "$dir/caught", O_RDWR | O_CREAT, 0600) or return 0;
  write_text($file, $text) or return 0;
  $answer = $text;
  return 1;
}

1;
