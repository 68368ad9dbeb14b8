# Kill the program that loads this module (`perl -MKillAtStep=FILE program`) right before its Nth step. The file contains N. It is removed before the kill, so
# that the next process is not killed. A step is a call that changes a file, reads from a FIFO, or opens one of them.
package KillAtStep;
use strict;
use warnings;

my ($file, $left);

sub import {
  $file = $_[1];
  open(my $told, '<', $file) or return;
  $left = <$told> + 0;
}

sub step {
  return if !defined $left || --$left > 0;
  unlink $file;
  kill 'KILL', $$;
}

BEGIN {
  no warnings 'once';
  *CORE::GLOBAL::syswrite = sub (*$;$$) {
    step();
    my ($handle, $bytes, $length, $offset) = @_;
    return CORE::syswrite($handle, $bytes, $length // length $bytes, $offset // 0);
  };
  *CORE::GLOBAL::truncate = sub ($$) { step(); return CORE::truncate($_[0], $_[1]) };
  *CORE::GLOBAL::sysopen = sub (*$$;$) { step(); return CORE::sysopen($_[0], $_[1], $_[2], $_[3] // 0666) };
  # Reading the clock, which has two arguments, changes nothing and is not a step. Only splice(2) has six arguments.
  *CORE::GLOBAL::syscall = sub ($@) {
    return CORE::syscall($_[0], $_[1], $_[2]) if @_ == 3;
    step();
    return CORE::syscall($_[0], $_[1], $_[2], $_[3], $_[4], $_[5], $_[6]);
  };
}

1;
