#!/usr/bin/perl
# Tries actions that a program in a sliver must not be able to do, and prints a line for each: its name, and the kernel's answer ("done": it can).
#
#   attempts.pl all NUMBERS    NUMBERS: name=number of system calls on this processor, such as "keyctl=250 bpf=321"
#   attempts.pl ring NUMBERS   set a ring of 64 MiB for a packet socket, with the option written in 32 and in 64 bits; bypass
#                              its link's queue; and set options that are allowed
#   attempts.pl datagrams      fill the receive buffers of 400 sockets; prints how many MiB they contain
#   attempts.pl packets        fill the receive buffers of 200 packet sockets, until it is killed
#   attempts.pl abstract NAME  connect to an abstract socket
#   attempts.pl listen NAME    listen on an abstract socket, in the background, until it is killed
#
# Sources: packet(7), capabilities(7), and the manual page of each system call.
use strict;
use warnings;

my ($what, @arguments) = @ARGV;
my %number = map { split /=/ } grep { /=/ } @arguments;
my ($unix, $packet, $sol_packet, $packet_rx_ring, $packet_tx_ring) = (1, 17, 263, 5, 13);

sub report {
    my ($name, $works) = @_;
    print "$name: ", ($works ? 'done' : lc "$!"), "\n";
}

# Make a system call that returns a number, which is -1 after a failure.
sub try_call {
    my ($name, @arguments) = @_;
    report($name, syscall($number{$name}, @arguments) != -1);
}

my %attempts = (
    'all' => sub {
        my ($type, $description, $payload) = ('user', 'a key', 'x');
        try_call('add_key', $type, $description, $payload, 1, -3);
        try_call('keyctl', 0, -4, 1);
        try_call('io_uring_setup', 8, "\0" x 120);
        try_call('bpf', 0, "\0" x 72, 72);
        try_call('perf_event_open', pack('L2 x104', 1, 112), 0, -1, -1, 0);
        try_call('userfaultfd', 0);
        try_call('unshare', 0x1000_0000);
        try_call('init_module', "\0" x 64, 64, "\0");
        for my $family (38, 40) { report("socket $family", socket(my $socket, $family, 5, 0)) }
        # A program may read from the kernel with netlink, but change nothing: this one tries to set its own link down.
        socket(my $route, 16, 3, 0) or die "netlink: $!\n";
        my $down = pack('L S2 L2 C x S l L2', 32, 16, 5, 1, 0, 0, 0, 1, 0, 1);
        send($route, $down, 0);
        recv($route, my $answer, 4096, 0);
        $! = -unpack('x16 l', $answer);
        report('netlink', $! == 0);
        report($_, open(my $file, '>', $_))
          for '/proc/sys/kernel/core_pattern', '/proc/sys/net/ipv6/conf/all/forwarding', '/sys/kernel/mm/ksm/run';
        report('its cgroup', open(my $procs, '>', '/sys/fs/cgroup/cgroup.procs'));
        my $folder = '/run/community-lab';
        report('unlink', unlink "$folder/measure");
        report('rename', rename "$folder/measure", "$folder/other");
        report('replace', rename '/etc/passwd', "$folder/measure");
        report('read its lines', open(my $lines, '<', "$folder/measure"));
        report('chmod', chmod 0777, "$folder/measure");
    },
    'datagrams' => sub {
        my @sockets;
        socket(my $out, 10, 2, 0) or die "udp: $!\n";
        for (1 .. 400) {
            socket(my $in, 10, 2, 0) or die "udp: $!\n";
            setsockopt($in, 1, 8, pack('i', 1 << 24)) or die "its buffer: $!\n";
            bind($in, pack('S n L a16 L', 10, 0, 0, "\0" x 15 . "\1", 0)) or die "bind: $!\n";
            send($out, 'x' x 60_000, 0, getsockname($in)) for 1 .. 8;
            push @sockets, $in;
        }
        open(my $table, '<', '/proc/net/udp6') or die "udp6: $!\n";
        my $held = 0;
        while (<$table>) { $held += hex($1) if /:([0-9A-F]{8}) \d\d:/ }
        print int($held / 2**20), "\n";
    },
    'packets' => sub {
        my @sockets;
        for (1 .. 200) {
            # All protocols, in network byte order.
            socket(my $in, $packet, 3, unpack('S', pack('n', 3))) or last;
            setsockopt($in, 1, 8, pack('i', 1 << 24)) or die "its buffer: $!\n";
            push @sockets, $in;
        }
        socket(my $out, 10, 2, 0) or die "udp: $!\n";
        my $self = pack('S n L a16 L', 10, 9, 0, "\0" x 15 . "\1", 0);
        while (1) { send($out, 'x' x 60_000, 0, $self) }
    },
    'abstract' => sub {
        socket(my $socket, $unix, 1, 0) or die "unix: $!\n";
        report('abstract socket', connect($socket, pack('S a*', $unix, "\0$arguments[0]")));
    },
    'listen' => sub {
        socket(my $socket, $unix, 1, 0) or die "unix: $!\n";
        bind($socket, pack('S a*', $unix, "\0$arguments[0]")) or die "bind: $!\n";
        listen($socket, 8) or die "listen: $!\n";
        # The parent ends now, so the caller waits only until the child listens.
        return if fork;
        close($_) for *STDIN, *STDOUT, *STDERR;
        sleep;
    },
    'ring' => sub {
        for my $level ($sol_packet, $sol_packet + 2**32) {
            for my $option ($packet_rx_ring, $packet_tx_ring, $packet_rx_ring + 2**32) {
                socket(my $socket, $packet, 3, 0) or die "packet: $!\n";
                my $ring = pack('I4', 1 << 20, 64, 1 << 11, 64 << 9);
                $! = 0;
                report("ring $level $option", syscall($number{'setsockopt'}, fileno $socket, $level, $option, $ring, 16) != -1);
            }
        }
        # Other options of packet sockets, and an option of any socket.
        socket(my $socket, $packet, 3, 0) or die "packet: $!\n";
        report('round the queue', setsockopt($socket, $sol_packet, 20, pack('i', 1)));
        report('original device', setsockopt($socket, $sol_packet, 9, pack('i', 1)));
        report('buffer', setsockopt($socket, 1, 8, pack('i', 4096)));
    },
);

($attempts{ $what // '' } or die "attempts.pl knows no " . ($what // 'nothing') . "\n")->();
