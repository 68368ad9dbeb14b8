# Clocks, and files that are overwritten in place.
package Catcher::Files;
use strict;
use warnings;
use Exporter 'import';
use Fcntl;
use Catcher::Settings qw($clock);
our @EXPORT_OK = qw(now_us monotonic_us write_text write_at read_at read_first);

sub clock_us {
  my ($which) = @_;
  my $time = "\0" x 16;
  syscall($clock, $which, $time);
  my ($s, $ns) = unpack('l!2', $time);
  return $s * 1000000 + int($ns / 1000);
}

sub now_us { return clock_us(0) }
sub monotonic_us { return clock_us(1) }

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
