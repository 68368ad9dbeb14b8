import { LabError } from '@community-lab/contract'
import { localSystemCalls } from '../../system-calls.ts'

/** Options of {@link catcherArguments}. */
export interface CatcherProgramOptions {
  readonly sliver: string
  /** Where the program is, see {@link catcherProgram}. */
  readonly program: string
  /** The folder of the stream, for it alone. */
  readonly dir: string
  readonly fifo: string
  /** The most bytes of a segment of data or index. */
  readonly segmentBytes: number
  /** The most bytes of all segments together. */
  readonly maxBytes: number
}

/**
 * Arguments of perl for a catcher.
 * @throws {@link LabError} LAB_AGENT_CATCHER_FAILED on a processor whose system calls are not known.
 */
export function catcherArguments(options: CatcherProgramOptions): readonly string[] {
  const calls = localSystemCalls()
  if (calls === null)
    throw new LabError('LAB_AGENT_CATCHER_FAILED', {
      sliver: options.sliver,
      reason: `the system calls of ${process.arch} are not known`,
    })
  const { program, dir, fifo, segmentBytes, maxBytes } = options
  const { splice, clockGettime } = calls
  return [program, dir, fifo, segmentBytes, maxBytes, splice, clockGettime].map(String)
}

/** The exit code of a catcher that found another one at work. */
export const alreadyCaught = 3

/**
 * The catcher: perl, for it has splice(2) and is on every Debian (only perl-base is used). The kernel moves the bytes from the FIFO to the file, so a
 * kill between reading and writing cannot lose any. Beside a segment `<start>.data` it writes `<start>.index`: lines of 34 bytes, `<end> <time in µs>`:
 * all before `end` had come by then. Offsets count from the beginning of the stream. When no room is left it reads and drops whole lines,
 * and rewrites their total in `dropped`. A full disk cuts writes short: what is missing then is owed, and is written before anything else is, so that the index
 * has whole entries only and no line is joined to another one. SIGTERM: catch what is in the FIFO, then end.
 */
export const catcherProgram = `use strict;
use warnings;
use Fcntl qw(:DEFAULT :flock);
use Errno qw(EAGAIN EINTR ENOSPC);

my ($dir, $fifo, $segment_bytes, $max_bytes, $splice, $clock) = @ARGV;
my ($start, $end, $data, $index, $index_bytes);
my ($room, $dropped, $told, $open_line, $inside_dropped, $stop) = (0, 0, -1, 0, 0, 0);
# What a full disk has not taken: the rest of a line whose beginning is in the data, and when it came. Without a rest, the index lacks an entry.
my ($owed_rest, $owed_us) = ('', 0);

sysopen(my $lock, "$dir/lock", O_RDWR | O_CREAT, 0600) or die "lock: $!\\n";
flock($lock, LOCK_EX | LOCK_NB) or exit ${String(alreadyCaught)};
truncate($lock, 0);
syswrite($lock, "$$\\n");
$SIG{TERM} = sub { $stop = 1 };
$SIG{PIPE} = $SIG{HUP} = $SIG{INT} = 'IGNORE';

sysopen(my $in, $fifo, O_RDWR | O_NONBLOCK) or die "$fifo: $!\\n";
fcntl($in, 1031, 1048576); # F_SETPIPE_SZ: room for a burst; the default serves too.
sysopen(my $count, "$dir/dropped", O_RDWR | O_CREAT, 0600) or die "dropped: $!\\n";
if (sysread($count, my $line, 20)) { $dropped = $line + 0 }
# Told at once, so that the disk has a place for it also when it is full.
tell_dropped();

sub tell_dropped {
  sysseek($count, 0, 0);
  $told = $dropped if (syswrite($count, sprintf("%020d", $dropped)) // 0) == 20;
}

sub starts {
  opendir(my $folder, $dir) or die "$dir: $!\\n";
  return sort map { /^(\\d{16})\\.data$/ ? $1 : () } readdir $folder;
}

sub measure_room {
  opendir(my $folder, $dir) or die "$dir: $!\\n";
  $room = $max_bytes;
  for (readdir $folder) { $room -= (-s "$dir/$_") // 0 if /\\.(data|index)$/ }
}

sub now_us {
  my $time = "\\0" x 16;
  syscall($clock, 0, $time);
  my ($s, $ns) = unpack('l!2', $time);
  return $s * 1000000 + int($ns / 1000);
}

sub note {
  my $line = sprintf("%016d %016d\\n", $end, $_[0]);
  sysseek($index, $index_bytes, 0);
  if ((syswrite($index, $line) // 0) == 34) {
    $index_bytes += 34;
    $room -= 34;
    $owed_us = 0;
  } else {
    truncate($index, $index_bytes);
    $owed_us = $_[0];
  }
}

# Write what is owed; tell whether all of it is.
sub pay {
  return 1 unless $owed_us;
  my $written = syswrite($data, $owed_rest) // 0;
  $end += $written;
  $owed_rest = substr($owed_rest, $written);
  note($owed_us) unless length $owed_rest;
  return !$owed_us;
}

sub open_segment {
  $start = $_[0];
  sysopen($data, "$dir/$start.data", O_RDWR | O_CREAT, 0600) or die "data: $!\\n";
  sysopen($index, "$dir/$start.index", O_RDWR | O_CREAT, 0600) or die "index: $!\\n";
  $end = $start + sysseek($data, 0, 2);
  $index_bytes = 34 * int(sysseek($index, 0, 2) / 34);
  truncate($index, $index_bytes);
}

sub ends_open {
  for my $at (reverse starts()) {
    open(my $file, '<', "$dir/$at.data") or next;
    next unless -s $file;
    sysseek($file, -1, 2);
    sysread($file, my $last, 1);
    return $last ne "\\n";
  }
  return 0;
}

# A catcher that was killed has perhaps moved bytes that are not in the index.
open_segment((starts())[-1] // '0' x 16);
my $known = 0;
if ($index_bytes) {
  sysseek($index, $index_bytes - 34, 0);
  sysread($index, my $line, 34);
  $known = (split ' ', $line)[0] + 0;
} else { $known = $start + 0 }
note(now_us()) if $known < $end;
measure_room();
$open_line = ends_open();

sub drop {
  my $got = sysread($in, my $chunk, 65536);
  return 0 unless $got;
  my $lines = ($chunk =~ tr/\\n//);
  if ($open_line) {
    my $at = index($chunk, "\\n");
    my $rest = $at < 0 ? $chunk : substr($chunk, 0, $at + 1);
    # Of an endless line not all is kept: beyond 4096 bytes it is rejected anyhow.
    $owed_rest = substr($owed_rest, 0, 65536) . $rest;
    $owed_us = now_us();
    pay();
    $lines-- if $at >= 0;
    $open_line = $at < 0;
    $chunk = substr($chunk, length $rest);
  }
  $inside_dropped = substr($chunk, -1) ne "\\n" if length $chunk;
  if ($lines) {
    $dropped += $lines;
    tell_dropped();
  }
  return 1;
}

sub catch {
  tell_dropped() if $told != $dropped;
  my $paid = pay();
  # Never with an entry owed: nobody looks for it when another segment follows.
  if ($paid && ($end - $start >= $segment_bytes || $index_bytes >= $segment_bytes)) {
    $open_line = ends_open();
    open_segment(sprintf('%016d', $end));
    measure_room();
  }
  measure_room() if $room <= 0;
  my $no_space = 0;
  if ($paid && $room > 0 && !$inside_dropped) {
    my $moved = syscall($splice, fileno($in), 0, fileno($data), 0, 65536, 2);
    if ($moved > 0) {
      $end += $moved;
      $room -= $moved;
      note(now_us());
      $open_line = ends_open() if $owed_us || $room <= 0;
      return 1;
    }
    return 0 if $moved == 0 || $! == EAGAIN || $! == EINTR;
    die "splice: $!\\n" unless $! == ENOSPC;
    $no_space = 1;
  }
  $open_line = ends_open() if $no_space;
  return drop();
}

# The agent may end before its catcher does: what goes wrong from now on is told in a file.
open(STDERR, '>', "$dir/log") or die "log: $!\\n";
print "ready\\n";
close(STDOUT);
while (1) {
  if (catch()) {
    # Lines that come close together are moved together: a tenth of the work, and a millisecond of delay.
    select(undef, undef, undef, 0.001);
    next;
  }
  last if $stop;
  my $readable = '';
  vec($readable, fileno($in), 1) = 1;
  select($readable, undef, undef, 1);
}
# The end of its line will never come.
$dropped++ if $owed_rest =~ /\\n\\z/;
tell_dropped() if $told != $dropped;
`
