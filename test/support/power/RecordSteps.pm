# Record every change of files that a program makes (`perl -MRecordSteps=RECORD,ROOT program`), for `disk.ts`: lines of JSON are appended to the file RECORD. Files outside of
# the folder ROOT are left out.
package RecordSteps;
use strict;
use warnings;

my ($record, $root, %files, $syncs);

sub import {
  (my $path, $root) = split ',', $_[1];
  CORE::open($record, '>>', $path) or die "$path: $!\n";
}

sub note {
  my ($do, %members) = @_;
  my @members = map { my $value = $members{$_}; "\"$_\":" . ($value =~ /^\d+$/ && $_ ne 'data' ? $value : "\"$value\"") } sort keys %members;
  CORE::syswrite($record, '{' . join(',', "\"do\":\"$do\"", @members) . "}\n");
}

sub note_write { note('write', pid => $$, fd => $_[0], at => $_[1], data => unpack('H*', $_[2])) }

BEGIN {
  no warnings 'once';
  *CORE::GLOBAL::sysopen = sub (*$$;$) {
    my $opened = CORE::sysopen($_[0], $_[1], $_[2], $_[3] // 0666) or return 0;
    my $fd = fileno $_[0];
    delete $files{$fd};
    if ($_[1] =~ m{^\Q$root\E/} && -f $_[1]) {
      $files{$fd} = 1;
      my @how = map { $_[2] & $_ ? 'true' : '' } 64, 512;
      CORE::syswrite($record, sprintf("{\"do\":\"open\",\"pid\":%d,\"fd\":%d,\"path\":\"%s\",\"creates\":%s,\"truncates\":%s}\n",
        $$, $fd, $_[1], map { $_ || 'false' } @how));
    }
    return $opened;
  };
  *CORE::GLOBAL::syswrite = sub (*$;$$) {
    my ($handle, $bytes, $length, $offset) = @_;
    my $fd = fileno $handle;
    my $at = $files{$fd} ? sysseek($handle, 0, 1) + 0 : 0;
    my $written = CORE::syswrite($handle, $bytes, $length // length $bytes, $offset // 0);
    note_write($fd, $at, substr($bytes, $offset // 0, $written)) if $files{$fd} && $written;
    return $written;
  };
  *CORE::GLOBAL::truncate = sub ($$) {
    my $done = CORE::truncate($_[0], $_[1]);
    note('truncate', pid => $$, fd => fileno $_[0], length => $_[1] + 0) if $done && $files{fileno $_[0]};
    return $done;
  };
  # Only splice(2) has six arguments; those with one sync a file.
  *CORE::GLOBAL::syscall = sub ($@) {
    return CORE::syscall($_[0], $_[1], $_[2]) if @_ == 3;
    if (@_ == 2) {
      my $id = $$ . ' ' . ++$syncs;
      note('sync', pid => $$, fd => $_[1], id => $id);
      my $done = CORE::syscall($_[0], $_[1]);
      note('synced', id => $id);
      return $done;
    }
    my $fd = $_[3];
    CORE::open(my $info, '<', "/proc/self/fdinfo/$fd") or die $!;
    my ($at) = join('', <$info>) =~ /^pos:\s+(\d+)/m;
    my $moved = CORE::syscall($_[0], $_[1], $_[2], $_[3], $_[4], $_[5], $_[6]);
    if ($moved > 0 && $files{$fd}) {
      CORE::open(my $file, '<', "/proc/self/fd/$fd") or die $!;
      sysseek($file, $at, 0);
      sysread($file, my $bytes, $moved);
      note_write($fd, $at, $bytes);
    }
    return $moved;
  };
}

1;
