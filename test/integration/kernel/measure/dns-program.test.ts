import { expect, it } from 'vitest'
import { dnsProgram } from '../../../../kernel/src/measure/dns-program.ts'
import { settings } from '../../../../kernel/src/measure/prober.ts'
import { rowsOf, runId, runOnLink, type EndProgram } from './link.ts'

interface Query {
  readonly server?: string
  readonly port?: number
  readonly count?: number
  readonly patience_ns?: number
}

/** A asks for a name; the server is that of Debian's dnsmasq at b unless `port` says otherwise. */
const ask = (domain: string, type: string, more: Query = {}): EndProgram => ({
  at: 'a',
  sliver: '1@1',
  script: dnsProgram,
  settings: settings(
    {
      ...{ every_ns: 100e6, patience_ns: 5e9, count: 1, domain, type, server: 'fd00::b', port: 53 },
      ...more,
    },
    [['from', '1@1']],
  ),
})

const long = Array.from({ length: 12 }, (_, index) => `${index}`.padEnd(200, 'x'))

const dnsmasq = `dir=$(mktemp -d); trap 'rm -r $dir; kill $b $backs 2>/dev/null || true' EXIT
cat > $dir/conf << 'conf'
no-resolv
no-hosts
listen-address=fd00::b
bind-interfaces
local-ttl=77
auth-server=ns.lab,nothing
host-record=www.lab,192.0.2.7,2001:db8::7
cname=web.lab,www.lab
mx-host=lab,mail.lab,10
srv-host=_lab._tcp.lab,www.lab,8080,1,2
txt-record=words.lab,"one \\"two\\"",three
${long.map((text) => `txt-record=long.lab,${text}`).join('\n')}
address=/none.lab/
conf
nsenter -t $b -n dnsmasq -d -C $dir/conf > /dev/null 2>&1 & backs=$!
until nsenter -t $b -n grep -q ':0035 ' /proc/net/udp6; do :; done`

it('has the time, the code and the records of each answer', async () => {
  const questions: readonly (readonly [string, string, object])[] = [
    ['www.lab', 'AAAA', { rcode: 'NOERROR', answers: 1, answer: 'AAAA 2001:db8::7', ttl_s: 77 }],
    ['www.lab.', 'A', { answer: 'A 192.0.2.7', over: 'udp', is_authoritative: true }],
    ['web.lab', 'A', { answers: 2, answer: 'CNAME www.lab, A 192.0.2.7' }],
    ['lab', 'MX', { answer: 'MX 10 mail.lab' }],
    ['_lab._tcp.lab', 'SRV', { answer: 'SRV 1 2 8080 www.lab' }],
    ['words.lab', 'TXT', { answer: 'TXT one "two" three' }],
    ['none.lab', 'A', { rcode: 'NXDOMAIN', answers: 0, lost: false }],
    ['example.org', 'A', { rcode: 'REFUSED', answers: 0, lost: false }],
    // 12 records of 200 characters do not fit into 1232 bytes.
    ['long.lab', 'TXT', { over: 'tcp', answers: 12, lost: false }],
  ]
  const programs = questions.map(([domain, type]) => ask(domain, type))
  const result = await runOnLink([...programs, ask('www.lab', 'NS', { count: 5 })], dnsmasq)
  expect(result).toMatchObject({ exitCode: 0, stderr: '' })
  const rows = rowsOf(result, 'dns')
  for (const [domain, type, expected] of questions) {
    const row = rows.find((one) => one['domain'] === domain && one['type'] === type)
    expect(row).toMatchObject({ ...expected, server: 'fd00::b', run: runId })
    expect(Number(row?.['response_s'])).toBeGreaterThan(0)
  }
  // One that waits does not delay the next, so rows may come in another order.
  const series = rows.filter(({ type }) => type === 'NS').map((row) => Number(row['seq_no']))
  expect(series.toSorted()).toEqual([1, 2, 3, 4, 5])
  const counts = { sent: 5, unsent: 0, received: 5, lost: 0 }
  expect(rowsOf(result, 'dns_count').find(({ type }) => type === 'NS')).toMatchObject(counts)
})

/** A server at b whose answers depend on the first label: late, none, of others, damaged, or without an end. */
const hostile = String.raw`nsenter -t $b -n perl - << 'server' > /dev/null 2>&1 & backs=$!
use strict; use warnings; use Socket qw(:DEFAULT pack_sockaddr_in6 AF_INET6);
socket(my $udp, AF_INET6, SOCK_DGRAM, 17) or die $!;
socket(my $tcp, AF_INET6, SOCK_STREAM, 6) or die $!;
bind($_, pack_sockaddr_in6(5300, "\0" x 16)) or die $! for $udp, $tcp;
listen($tcp, 16) or die $!;
$SIG{CHLD} = $SIG{PIPE} = 'IGNORE';
if (!fork()) {
  while (accept(my $c, $tcp)) {
    next if fork();
    sysread($c, my $query, 2000);
    my $answer = substr($query, 2, 2) . pack('n5', 0x8180, 1, 1, 0, 0) . substr($query, 14, length($query) - 14 - 11);
    # The longest message that there is, and then without an end.
    if ($query =~ /\x04huge/) { $answer .= pack('n3 N n', 0xc00c, 16, 1, 60, 60000) . ("\x09" . 'y' x 9) x 6000; syswrite($c, pack('n/a', $answer)); syswrite($c, 'y' x 10000) || exit while 1 }
    syswrite($c, pack('n', 65535)); while (1) { syswrite($c, "\0") || exit; select(undef, undef, undef, 0.1) }
  }
}
while (my $from = recv($udp, my $query, 2000, 0)) {
  next if $query =~ /\x06silent/;
  next if fork();
  my $answer = substr($query, 0, 2) . pack('n5', 0x8180, 1, 1, 0, 0) . substr($query, 12, length($query) - 12 - 11);
  my $say = sub { send($udp, $_[0], 0, $from) };
  my $address = pack('n3 N n', 0xc00c, 28, 1, 60, 16) . "\0" x 15 . "\1";
  if ($query =~ /\x04late/) { select(undef, undef, undef, 0.3); $say->($answer . $address) }
  # Of another number, of another question, no answer, too short; and then the right one.
  if ($query =~ /\x06others/) { $say->(pack('n', unpack('n', $answer) ^ 1) . substr($answer, 2)); $say->($answer =~ s/others/strange/r); $say->($query); $say->('x'); $say->($answer . $address) }
  # A name that points to itself, a record longer than the message, a text longer than its record.
  if ($query =~ /\x04loop/) { $say->($answer . pack('n', 0xc000 | length($answer)) . substr($address, 2)) }
  if ($query =~ /\x03cut/) { $say->(substr($answer . $address, 0, -3)) }
  if ($query =~ /\x04many/) { substr($answer, 6, 2) = pack('n', 65535); $say->($answer . $address) }
  if ($query =~ /\x04text/) { $say->($answer . pack('n3 N n', 0xc00c, 16, 1, 60, 8) . "\x07a\"\\\n\xff=b") }
  if ($query =~ /\x04huge|\x05drips/) { substr($answer, 2, 2) = pack('n', 0x8380); substr($answer, 6, 2) = "\0\0"; $say->($answer) }
  exit;
}
server
until nsenter -t $b -n grep -q ':14B4 ' /proc/net/tcp6; do :; done`

it('takes no answer for another, and says of each lost one why', async () => {
  const port = 5300
  const cases: readonly (readonly [string, Query, object])[] = [
    ['late.lab', {}, { lost: false, answer: 'AAAA ::1' }],
    ['others.lab', {}, { lost: false, answer: 'AAAA ::1' }],
    ['text.lab', {}, { lost: false, answer: 'TXT a"\\??=b' }],
    ['huge.lab', {}, { lost: false, over: 'tcp', answers: 1, answer_bytes: 60_038 }],
    ['silent.lab', { patience_ns: 2e9 }, { failed: 'udp', error: 'no answer in time' }],
    ['drips.lab', { patience_ns: 2e9 }, { failed: 'tcp', error: 'no answer in time' }],
    ['loop.lab', {}, { failed: 'answer', error: 'the answer is no message of DNS' }],
    ['cut.lab', {}, { failed: 'answer' }],
    ['many.lab', {}, { failed: 'answer' }],
    ['nobody.lab', { port: 5301 }, { failed: 'udp', error: 'Connection refused' }],
  ]
  const programs = cases.map(([domain, more]) => ask(domain, 'AAAA', { port, ...more }))
  const result = await runOnLink(programs, hostile)
  const rows = new Map(rowsOf(result, 'dns').map((row) => [row['domain'], row]))
  for (const [domain, , expected] of cases)
    expect(rows.get(domain)).toMatchObject({ lost: !('lost' in expected), ...expected })
  expect(Number(rows.get('late.lab')?.['response_s'])).toBeGreaterThan(0.299)
  expect(rows.get('silent.lab')).not.toHaveProperty('response_s')
  expect(result.exitCode).toBe(1)
})
