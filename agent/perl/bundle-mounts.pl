#!/usr/bin/perl
#
# Make the mounts of a sliver's bundle in the mount namespace of this program, then execute the command there.
#
# Arguments: UNSHARE FOLDER BUNDLE XATTRS TEMPLATE IDS HIDES name folder ... -- command ...
#   UNSHARE   the number of unshare(2) on this processor, for which perl has no name
#   FOLDER    the sliver's folder: config.json, the empty folder "stage", and "upper" and "work" or the file system image "disk.img" that contains them
#   BUNDLE    the path of the bundle for the runtime
#   XATTRS    an additional option of the overlay, or empty
#   TEMPLATE  the unpacked template that slivers share; if empty, the folder's own "lower" is used
#   IDS       the ids that the template's owners get: "inside:outside:count ..."
#   HIDES     "1" hides cgroups from the command
#   name folder   a folder that the container's configuration binds, with its name in the bundle
#
# A template is mounted read-only with its owners' ids mapped. So all slivers share it, and its pages in memory, although each has its own ids. util-linux can
# do that since 2.39; Debian 12 has 2.38. One program is also quicker than a script that starts a dozen programs: 10 ms instead of 29. mount(8) allocates a loop
# device for the disk, and the kernel frees it with its last mount.
#
# Source: Linux, open_tree(2), move_mount(2), fsopen(2), fsconfig(2), fsmount(2), mount_setattr(2). Their numbers are the same on all architectures.
use strict;
use warnings;
my ($unshare, $folder, $bundle, $xattrs, $template, $ids, $hides, @rest) = @ARGV;
my ($open_tree, $move_mount, $fsopen, $fsconfig, $fsmount, $mount_setattr) = (428 .. 432, 442);
my ($cwd, $empty_path, $from_empty_path, $cloexec) = (-100, 0x1000, 4, 1);
# OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC: the command must not inherit the descriptors of mounts.
my $clone = 0x80001;
my ($set_flag, $set_string, $create) = (0, 1, 6);
my ($read_only, $nosuid, $nodev, $id_mapped) = (1, 2, 4, 0x100000);

sub call {
  my ($what, $number, @arguments) = @_;
  my $result = syscall($number, @arguments);
  die "$what: $!\n" if $result < 0;
  return $result;
}

sub place {
  my ($mount, $to) = @_;
  call("a mount at $to", $move_mount, $mount, '', $cwd, $to, $from_empty_path);
}

sub mount_new {
  my ($type, $to, $attributes, @options) = @_;
  my $context = call($type, $fsopen, $type, $cloexec);
  for (['source', 'community-lab'], @options) {
    my ($name, $value) = @$_;
    if (defined $value) { call("$type $name=$value", $fsconfig, $context, $set_string, $name, $value, 0) }
    else { call("$type $name", $fsconfig, $context, $set_flag, $name, 0, 0) }
  }
  call("$type at $to", $fsconfig, $context, $create, 0, 0, 0);
  place(call($type, $fsmount, $context, $cloexec, $attributes), $to);
}

sub copy_of {
  my ($from) = @_;
  return call($from, $open_tree, $cwd, $from, $clone);
}

# Map the ids of a mount. The kernel gets the mapping from a user namespace. A child makes that namespace, and is killed when the mount uses it.
sub with_ids {
  my ($mount, @pieces) = @_;
  pipe(my $held, my $hold) && pipe(my $told, my $tell) or die "pipe: $!\n";
  my $pid = fork() // die "fork: $!\n";
  if ($pid == 0) {
    close($hold);
    syswrite($tell, syscall($unshare, 0x10000000) == 0 ? 'y' : $!);
    sysread($held, my $nothing, 1);
    exit(0);
  }
  close($tell);
  my $result = eval {
    sysread($told, my $answer, 256);
    die "no user namespace can be made: $answer\n" if $answer ne 'y';
    my $map = join('', map { join(' ', split(/:/)) . "\n" } @pieces);
    for my $file ('uid_map', 'gid_map') {
      open(my $handle, '>', "/proc/$pid/$file") or die "$file: $!\n";
      syswrite($handle, $map) // die "$file: $!\n";
    }
    open(my $namespace, '<', "/proc/$pid/ns/user") or die "user namespace: $!\n";
    my $attributes = pack('Q4', $read_only | $id_mapped, 0, 0, fileno($namespace));
    call('ids of a mount', $mount_setattr, $mount, '', $empty_path, $attributes, 32);
    1;
  };
  my $reason = $@;
  # The child must not outlive this program, which executes the command and does not wait for children.
  kill('KILL', $pid);
  die $reason if !$result;
}

chdir($folder) or die "$folder: $!\n";
mount_new('tmpfs', 'stage', $nosuid | $nodev, ['mode', '755'], ['size', '1m']);
mkdir("stage/$_") or die "stage/$_: $!\n" for 'root', 'lower', 'disk';
my ($lower, $own) = ('lower', '.');
if ($template ne '') {
  $lower = 'stage/lower';
  my $mount = copy_of($template);
  with_ids($mount, split(/ /, $ids));
  place($mount, $lower);
}
if (-e 'disk.img') {
  $own = 'stage/disk';
  system('mount', '-t', 'ext4', '-o', 'loop,nodev', 'disk.img', $own) == 0 or die "the disk cannot be mounted\n";
}
my @overlay = (['lowerdir', $lower], ['upperdir', "$own/upper"], ['workdir', "$own/work"]);
push(@overlay, [$xattrs]) if $xattrs ne '';
mount_new('overlay', 'stage/root', $nodev, @overlay);
open(my $from, '<', 'config.json') or die "config.json: $!\n";
open(my $to, '>', 'stage/config.json') or die "stage/config.json: $!\n";
print($to do { local $/; <$from> }) or die "stage/config.json: $!\n";
close($to) or die "stage/config.json: $!\n";
while ((my $name = shift(@rest)) ne '--') {
  mkdir("stage/$name") or die "stage/$name: $!\n";
  place(copy_of(shift(@rest)), "stage/$name");
}
call("the move to $bundle", $move_mount, $cwd, 'stage', $cwd, $bundle, 0);
mount_new('tmpfs', '/sys/fs/cgroup', $read_only, ['mode', '755'], ['size', '64k']) if $hides;
chdir('/');
# Programs in the container must not keep the agent's pipes open.
open(STDIN, '<', '/dev/null') && open(STDOUT, '>', '/dev/null') && open(STDERR, '>', '/dev/null') or exit(1);
exec(@rest) or exit(127);
