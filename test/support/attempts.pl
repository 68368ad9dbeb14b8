#!/usr/bin/perl
# Tries actions that a program in a sliver must not be able to do, and prints a line for each: its name, and the kernel's answer ("done": it can).
#
#   attempts.pl all NUMBERS    NUMBERS: name=number of system calls on this processor, such as "keyctl=250 bpf=321"
#   attempts.pl ring NUMBERS   set a ring of 64 MiB for a packet socket, with the option written in 32 and in 64 bits; bypass
#                              its link's queue; and set options that are allowed
#   attempts.pl datagrams      fill the receive buffers of 400 sockets; prints how many MiB they contain
#   attempts.pl hold KIND      fill as many sockets as it can, until it is killed. KIND is where the memory is: packet (receive buffers), netlink (answers),
#                              datagram or stream (copies of sent packets in the queue of errors), corked (packets that are not sent yet)
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

my $payload = 'x' x 60_000;
my $self = pack('S n L a16 L', 10, 9, 0, "\0" x 15 . "\1", 0);

# Allow a socket as large buffers as the kernel gives to anybody.
sub enlarge {
    my ($socket) = @_;
    setsockopt($socket, 1, $_, pack('i', 1 << 24)) or die "buffer: $!\n" for 7, 8;
}

# Ask for the time at which packets are sent: SO_TIMESTAMPING with SOF_TIMESTAMPING_TX_SOFTWARE and SOF_TIMESTAMPING_SOFTWARE. The kernel
# answers with copies of the packets.
sub ask_for_times {
    my ($socket) = @_;
    setsockopt($socket, 1, 37, pack('i', 1 << 1 | 1 << 4)) or die "timestamps: $!\n";
}

# Each makes a socket that holds as much as it can, and returns it; undef: there are too many.
my $listener;
my %hold = (
    'packet' => sub {
        # All protocols, in network byte order.
        socket(my $socket, $packet, 3, unpack('S', pack('n', 3))) or return undef;
        enlarge($socket);
        socket(my $out, 10, 2, 0) or return undef;
        send($out, $payload, 0, $self) for 1 .. 70;
        return $socket;
    },
    'netlink' => sub {
        socket(my $socket, 16, 3, 0) or return undef;
        enlarge($socket);
        # An invalid request that wants an answer. The answer contains the request.
        my $request = pack('L S2 L2', length $payload, 16, 1 | 4, 0, 0) . substr $payload, 16;
        send($socket, $request, 0x40) for 1 .. 100;
        return $socket;
    },
    'datagram' => sub {
        socket(my $socket, 10, 2, 0) or return undef;
        enlarge($socket);
        ask_for_times($socket);
        send($socket, $payload, 0, $self) for 1 .. 100;
        return $socket;
    },
    'stream' => sub {
        if (!defined $listener) {
            socket($listener, 10, 1, 0) or die "tcp: $!\n";
            bind($listener, pack('S n L a16 L', 10, 0, 0, "\0" x 15 . "\1", 0)) or die "bind: $!\n";
            listen($listener, 8) or die "listen: $!\n";
        }
        socket(my $socket, 10, 1, 0) or return undef;
        enlarge($socket);
        ask_for_times($socket);
        connect($socket, getsockname($listener)) or return undef;
        accept(my $other, $listener) or return undef;
        for (1 .. 200) {
            my $missing = send($socket, substr($payload, 0, 32_000), 0);
            while ($missing > 0) {
                recv($other, my $part, $missing, 0);
                $missing -= length $part;
            }
        }
        return [$socket, $other];
    },
    'corked' => sub {
        socket(my $socket, 10, 2, 0) or return undef;
        connect($socket, $self) or die "connect: $!\n";
        # MSG_MORE: more data for the same packet will follow.
        send($socket, $payload, 0x8000);
        return $socket;
    },
);

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
    'hold' => sub {
        my ($kind) = @arguments;
        my @sockets;
        while (1) {
            my $socket = $hold{$kind}->();
            defined $socket ? push @sockets, $socket : sleep 1;
        }
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
