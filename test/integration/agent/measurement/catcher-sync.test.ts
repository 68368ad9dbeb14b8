import { execFileSync } from 'node:child_process'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { createFolder } from './world.ts'

/** Begins files of a stream as the catcher does, and prints what it syncs. */
const script = `
use strict;
use IO::Handle;
use Catcher::Segments qw(open_segment);
use Catcher::Sync qw(sync_moved);
my $sync = \\&IO::Handle::sync;
{
  no warnings 'redefine';
  *IO::Handle::sync = sub { syswrite(STDOUT, readlink('/proc/self/fd/' . fileno $_[0]) . "\\n"); $sync->(@_) };
}
open(my $lock, '<', '/dev/null');
my $stream = { dir => $ARGV[0], lock => $lock, end => 0 };
sub move {
  open_segment($stream, sprintf('%016d', $stream->{end}));
  $stream->{end} += syswrite($stream->{data}, "count value=1\\n");
}
sub sync_all { sync_moved($lock, $stream); 1 while wait >= 0; syswrite(STDOUT, "--\\n") }
move(); move(); sync_all();
sync_all();
move(); move(); sync_all();
`

it('syncs each file of a stream that got bytes, also those that were full before', async () => {
  await using folder = await createFolder()
  const perl = join(import.meta.dirname, '../../../../agent/perl')
  const output = execFileSync('perl', [`-I${perl}`, '-e', script, folder.path], {
    encoding: 'utf8',
  })
  const rounds = output
    .split('--\n')
    .map((round) => round.split('\n').map((path) => basename(path)))
  const data = rounds.map((names) =>
    names.filter((name) => name.endsWith('.data')).map(Number.parseFloat),
  )
  expect(data).toEqual([[0, 14], [], [14, 28, 42], []])
})
