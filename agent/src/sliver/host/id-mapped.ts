import type { IdMapping } from '../domain/ids.ts'

/**
 * A program for perl that mounts a folder a second time, read-only, with its owners' ids translated: `FROM TO inside:outside:count…`. So all slivers
 * share one unpacked template, and its pages in memory, though each has ids of its own. util-linux can do that from 2.39 on; Debian 12 has 2.38.
 *
 * Source: Linux, mount_setattr(2), open_tree(2), move_mount(2); their numbers are the same on all architectures of the contract.
 */
export const idMappedMountProgram = `
use strict;
my ($from, $to, @pieces) = @ARGV;
my ($open_tree, $move_mount, $mount_setattr) = (428, 429, 442);
my ($cwd, $clone, $empty_path, $from_empty_path) = (-100, 1, 0x1000, 4);
my ($read_only, $id_mapped) = (1, 0x100000);
my $empty = '';
# The kernel takes the mapping from a user namespace, and a namespace from a process in it.
my $pid = open(my $said, '-|', 'unshare', '--user', 'sh', '-c', 'echo; exec sleep 60') // die "unshare: $!";
eval {
  defined(my $line = <$said>) or die "no user namespace can be made\\n";
  my $map = join('', map { join(' ', split(/:/)) . "\\n" } @pieces);
  for my $file ('uid_map', 'gid_map') {
    open(my $handle, '>', "/proc/$pid/$file") or die "$file: $!\\n";
    syswrite($handle, $map) // die "$file: $!\\n";
  }
  open(my $namespace, '<', "/proc/$pid/ns/user") or die "user namespace: $!\\n";
  my $tree = syscall($open_tree, $cwd, $from, $clone);
  die "open_tree: $!\\n" if $tree < 0;
  my $attributes = pack('Q4', $read_only | $id_mapped, 0, 0, fileno($namespace));
  syscall($mount_setattr, $tree, $empty, $empty_path, $attributes, 32) == 0 or die "mount_setattr: $!\\n";
  syscall($move_mount, $tree, $empty, $cwd, $to, $from_empty_path) == 0 or die "move_mount: $!\\n";
};
# It must not outlive this, nor be waited for while it sleeps.
kill('KILL', $pid);
die $@ if $@;
`

/** The arguments that tell the program a mapping. */
export function idMappedArguments(ids: readonly IdMapping[]): readonly string[] {
  return ids.map(({ inside, outside, count }) => `${inside}:${outside}:${count}`)
}
