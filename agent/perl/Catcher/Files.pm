# Clocks, and files that are overwritten in place.
package Catcher::Files;
use strict;
use warnings;
use Exporter 'import';
use Fcntl;
use Catcher::Settings qw($clock $dir);
our @EXPORT_OK = qw(now_us read_steady monotonic_us write_text write_at read_at read_first);

# The kernel writes the time into this memory.
my $time = "\0" x 16;

sub clock_us {
  syscall($clock, $_[0], $time);
  my ($s, $ns) = unpack('l!2', $time);
  return $s * 1000000 + int($ns / 1000);
}

my ($base_us, $rate);

# The steady clock: the monotonic clock, plus a base that the agent has written into the file 'steady'. So a wall clock that is set meanwhile does not
# change the time of lines, and agent and catcher have the same clock.
sub now_us { return int(clock_us(1) * $rate + $base_us) }
sub monotonic_us { return clock_us(1) }

# Read the file 'steady'. Without one of this boot, the wall clock at this moment is the base.
sub read_steady {
  my ($boot) = read_first('/proc/sys/kernel/random/boot_id', 64) =~ /^(\S+)/;
  my ($its_boot, $its_base, $its_rate) = split ' ', read_first("$dir/steady", 256);
  if (defined $its_rate && $its_boot eq $boot) { ($base_us, $rate) = ($its_base, $its_rate) }
  elsif (!defined $base_us) { ($base_us, $rate) = (clock_us(0) - clock_us(1), 1) }
}

# Overwrite a file in place. Returns whether it was written completely.
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

1;
