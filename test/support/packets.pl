#!/usr/bin/perl
# Sends packets that no well-behaved program sends, from its network namespace.
#
#   packets.pl router-advertisement INTERFACE           to all nodes: "I am a router"
#   packets.pl neighbour-advertisement INTERFACE CLAIM  to fe80::1: "I have the address CLAIM"
#   packets.pl datagrams ADDRESS COUNT                  one byte of UDP to each of COUNT ports
#   packets.pl ipv6 INTERFACE FROM-MAC FROM TO COUNT    frames with UDP from any MAC and IPv6 address, to port 9
#   packets.pl destinations INTERFACE FROM-MAC FROM PREFIX COUNT
#                                                       such a frame to each of COUNT addresses: PREFIX followed by 1000, 1001 …
#   packets.pl icmp-error INTERFACE FROM-MAC FROM TO TYPE ABOUT-PROTOCOL ABOUT-FROM ABOUT-TO
#                                                       an ICMPv6 error of TYPE about a packet; "too big" (2) reports an MTU of 1280 bytes
#   packets.pl icmp INTERFACE FROM-MAC FROM TO TYPE COUNT
#                                                       empty ICMPv6 messages of TYPE from a neighbour (hop limit 255)
#   packets.pl ipv4 INTERFACE FROM-MAC FROM TO COUNT    the same with IPv4
#   packets.pl arp INTERFACE FROM-MAC CLAIM TO COUNT    ARP requests for TO that claim that CLAIM is at FROM-MAC
#
# Sources: RFC 4443 (ICMPv6), RFC 4861 (neighbour discovery), RFC 826 (ARP), RFC 8200 (IPv6), RFC 791 (IPv4), packet(7).
use strict;
use warnings;
use Socket qw(:all);

my ($what, @arguments) = @ARGV;
my ($af_packet, $hop_limit, $multicast_interface, $multicast_hops) = (17, 16, 17, 18);
my $gateway_mac = "\x02\0\0\0\0\x01";

my %commands = (
    'router-advertisement' => sub {
        my ($interface) = @_;
        my $index = index_of($interface);
        my $socket = icmp6_socket();
        setsockopt($socket, IPPROTO_IPV6, $multicast_hops, pack('i', 255)) or die "hops: $!\n";
        setsockopt($socket, IPPROTO_IPV6, $multicast_interface, pack('i', $index)) or die "interface: $!\n";
        my $message = pack('C2 n C2 n N2', 134, 0, 0, 64, 0, 1800, 0, 0);
        send($socket, $message, 0, place('ff02::1', $index)) or die "send: $!\n";
    },
    'neighbour-advertisement' => sub {
        my ($interface, $claim) = @_;
        my $socket = icmp6_socket();
        setsockopt($socket, IPPROTO_IPV6, $hop_limit, pack('i', 255)) or die "hops: $!\n";
        # The flags are: not solicited, override. The option contains a link-layer address.
        my $message = pack('C2 n N', 136, 0, 0, 0x20000000) . address6($claim) . pack('C2', 2, 1) . "\x02\0\0\0\0\x99";
        send($socket, $message, 0, place('fe80::1', index_of($interface))) or die "send: $!\n";
    },
    'datagrams' => sub {
        my ($to, $count) = @_;
        socket(my $socket, AF_INET6, SOCK_DGRAM, 0) or die "socket: $!\n";
        for my $port (20001 .. 20000 + $count) {
            send($socket, 'x', 0, pack_sockaddr_in6($port, address6($to))) or die "send: $!\n";
            # The kernel limits the rate of its answers that nobody listens, so the datagrams must not come too fast.
            select(undef, undef, undef, 0.001);
        }
    },
    'destinations' => sub {
        my ($interface, $mac, $from, $prefix, $count) = @_;
        my @packets = map { udp6($from, sprintf('%s%x', $prefix, $_)) } 0x1000 .. 0xfff + $count;
        send_frames($interface, { mac => $mac, type => 0x86dd, payloads => \@packets });
    },
    'ipv6' => sub {
        my ($interface, $mac, $from, $to, $count) = @_;
        my $packet = udp6($from, $to);
        send_frames($interface, { mac => $mac, type => 0x86dd, payloads => [($packet) x $count] });
    },
    'icmp-error' => sub {
        my ($interface, $mac, $from, $to, $type, $protocol, $about_from, $about_to) = @_;
        # The error is about an echo request, or about a UDP or TCP packet with these ports. Only the first bytes matter.
        my $inner = $protocol == 58 ? pack('C2 n3', 128, 0, 0, 1, 1) : pack('n4', 9, 9, 8, 0);
        my $about = pack('N n C2', 0x60000000, 8, $protocol, 64) . address6($about_from) . address6($about_to) . $inner;
        my $error = pack('C2 n N', $type, 0, 0, 1280) . $about;
        send_frames($interface, { mac => $mac, type => 0x86dd, payloads => [icmp6($from, $to, $error)] });
    },
    'icmp' => sub {
        my ($interface, $mac, $from, $to, $type, $count) = @_;
        my $packet = icmp6($from, $to, pack('C2 n x36', $type, 0, 0));
        send_frames($interface, { mac => $mac, type => 0x86dd, payloads => [($packet) x $count] });
    },
    'ipv4' => sub {
        my ($interface, $mac, $from, $to, $count) = @_;
        my $header = pack('C2 n3 C2 n', 0x45, 0, 28, 0, 0, 64, 17, 0) . inet_aton($from) . inet_aton($to);
        substr($header, 10, 2) = pack('n', checksum($header));
        send_frames($interface, { mac => $mac, type => 0x0800, payloads => [($header . pack('n4', 9, 9, 8, 0)) x $count] });
    },
    'arp' => sub {
        my ($interface, $mac, $claim, $to, $count) = @_;
        my $packet = pack('n2 C2 n', 1, 0x0800, 6, 4, 1) . mac($mac) . inet_aton($claim) . ("\0" x 6) . inet_aton($to);
        send_frames($interface, { mac => $mac, type => 0x0806, payloads => [($packet) x $count], to => "\xff" x 6 });
    },
);

my $command = $commands{ $what // '' } or die "packets.pl knows no " . ($what // 'nothing') . "\n";
$command->(@arguments);

sub send_frames {
    my ($interface, $options) = @_;
    my ($type, $payloads) = @$options{qw(type payloads)};
    socket(my $socket, $af_packet, SOCK_RAW, 0) or die "socket: $!\n";
    my $header = ($options->{to} // $gateway_mac) . mac($options->{mac}) . pack('n', $type);
    my $place = pack('S n i S C2 a8', $af_packet, $type, index_of($interface), 0, 0, 6, '');
    for my $payload (@$payloads) { send($socket, $header . $payload, 0, $place) or die "send: $!\n" }
}

sub udp6 {
    my ($from, $to) = @_;
    # Without a valid checksum, which includes the addresses, the receiver would drop the packet (RFC 8200, section 8.1).
    my $sum = checksum(address6($from) . address6($to) . pack('N2', 8, 17) . pack('n4', 9, 9, 8, 0));
    my $udp = pack('n4', 9, 9, 8, $sum || 0xffff);
    return pack('N n C2', 0x60000000, 8, 17, 64) . address6($from) . address6($to) . $udp;
}

# Make a packet of an ICMPv6 message with the checksum 0, which is filled in.
sub icmp6 {
    my ($from, $to, $message) = @_;
    my $pseudo = address6($from) . address6($to) . pack('N2', length $message, 58);
    substr($message, 2, 2) = pack('n', checksum($pseudo . $message));
    return pack('N n C2', 0x60000000, length $message, 58, 255) . address6($from) . address6($to) . $message;
}

sub icmp6_socket {
    socket(my $socket, AF_INET6, SOCK_RAW, 58) or die "socket: $!\n";
    return $socket;
}

sub place {
    my ($address, $index) = @_;
    return pack_sockaddr_in6(0, address6($address), $index, 0);
}

sub address6 {
    my ($text) = @_;
    return inet_pton(AF_INET6, $text) // die "no IPv6 address: $text\n";
}

sub mac {
    my ($text) = @_;
    return pack('H2' x 6, split(/:/, $text));
}

# Find the index with SIOCGIFINDEX, because /sys may show the interfaces of another namespace.
sub index_of {
    my ($interface) = @_;
    socket(my $socket, AF_INET, SOCK_DGRAM, 0) or die "socket: $!\n";
    my $request = pack('a16 i x20', $interface, 0);
    ioctl($socket, 0x8933, $request) or die "$interface: $!\n";
    return unpack('x16 i', $request);
}

sub checksum {
    my ($bytes) = @_;
    my $sum = 0;
    $sum += $_ for unpack('n*', $bytes);
    $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
    return ~$sum & 0xffff;
}
