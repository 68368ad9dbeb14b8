import { expect, it } from 'vitest'
import { httpProgram } from '../../../../kernel/src/measure/http-program.ts'
import { settings } from '../../../../kernel/src/measure/prober.ts'
import { rowsOf, runId, runOnLink, type EndProgram } from './link.ts'

const base = { every_ns: 300e6, patience_ns: 5e9, count: 3, most_bytes: 200_000 }

/** Both ends fetch from each other. */
const between = (at: 'a' | 'b'): EndProgram => ({
  at,
  sliver: at === 'a' ? '1@1' : '1@2',
  script: httpProgram,
  settings: settings({ ...base, body_bytes: 200_000 }, [
    ['from', '1@1'],
    ['from', '1@2'],
    ['to', '1@1', 'n1', 'fd00::a'],
    ['to', '1@2', 'n2', 'fd00::b'],
  ]),
})

/** A fetches once from a server at b, or from a name of its own host. */
const from = (target: string, host = 'fd00::b', patience_ns = 4e9): EndProgram => ({
  at: 'a',
  sliver: '1@1',
  script: httpProgram,
  settings: settings(
    {
      ...{ ...base, count: 1, patience_ns, most_bytes: 100_000, body_bytes: 0 },
      ...{ scheme: 'http', host, port: 8080, authority: `[${host}]:8080`, target },
      url: `http://[${host}]:8080${target}`,
    },
    [['from', '1@1']],
  ),
})

/** A server at b, which is there when the programs begin: it answers after a time, in parts, in other codings, and as one that means harm. */
const server = String.raw`nsenter -t $b -n perl - << 'server' > /dev/null 2>&1 & backs=$!
use strict; use warnings; use Socket qw(:DEFAULT pack_sockaddr_in6 AF_INET6);
$SIG{CHLD} = $SIG{PIPE} = 'IGNORE';
socket(my $server, AF_INET6, SOCK_STREAM, 6) or die $!;
bind($server, pack_sockaddr_in6(8080, "\0" x 16)) or die $!;
listen($server, 16) or die $!;
while (accept(my $c, $server)) {
  next if fork();
  my ($path) = <$c> =~ m{^GET (\S+)};
  while (<$c>) { last if /^\r?\n$/ }
  my $say = sub { syswrite($c, $_[0]) // exit };
  my $wait = sub { select(undef, undef, undef, $_[0]) };
  my $ok = "HTTP/1.1 200 OK\r\n";
  if ($path eq '/slow') { $wait->(0.2); $say->("HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nab"); $wait->(0.3); $say->("cd"); $wait->(6) }
  if ($path eq '/chunked') { $say->("HTTP/1.1 100 Continue\r\n\r\n" . $ok . "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhel"); $wait->(0.1); $say->("lo\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n"); $wait->(6) }
  if ($path eq '/open') { $say->("HTTP/1.0 200 OK\r\n\r\n123456") }
  if ($path eq '/cut') { $say->($ok . "Content-Length: 100\r\n\r\n12345") }
  if ($path eq '/silent') { $wait->(6) }
  if ($path eq '/garbage') { $say->("SSH-2.0-nothing\r\n\r\n") }
  if ($path eq '/head') { $say->("X: " . 'y' x 1000 . "\r\n") while 1 }
  if ($path eq '/body') { $say->("$ok\r\n"); $say->('y' x 10000) while 1 }
  if ($path eq '/promise') { $say->($ok . "Content-Length: 999999999999\r\n\r\n"); $wait->(6) }
  if ($path eq '/chunks') { $say->($ok . "Transfer-Encoding: chunked\r\n\r\n"); $say->("1\r\nx\r\n" x 1000) while 1 }
  if ($path eq '/trickle') { $say->($ok); while (1) { $say->("X"); $wait->(0.1) } }
  exit;
}
server
until nsenter -t $b -n grep -q ':1F90 ' /proc/net/tcp6; do :; done`

/** From b to a, the link carries 8 Mbit/s. */
const shape = 'nsenter -t $b -n tc qdisc add dev w root tbf rate 8mbit burst 16kb latency 500ms'

it('fetches from servers of other slivers, in both directions, in the time that the link takes for it', async () => {
  const result = await runOnLink([between('a'), between('b')], shape)
  expect(result).toMatchObject({ exitCode: 0, stderr: '' })
  const fetches = result.rows.filter(({ name, at }) => name === 'http' && at === 'a')
  expect(fetches.map(({ fields }) => fields['seq_no'])).toEqual([1, 2, 3])
  for (const { fields } of fetches) {
    expect(fields).toMatchObject({ lost: false, status: 200, body_bytes: 200_000, peer: 'n2' })
    expect(fields).toMatchObject({ address: 'fd00::b', run: runId })
    expect(fields).not.toHaveProperty('dns_s')
    const { connect_s, first_byte_s, receive_s, total_s } = fields
    // 200 000 bytes, in frames with 86 bytes of headers for 1428, are 0.212 s; the first 16 kB come at once. A busy machine sees the first byte late.
    expect(Number(first_byte_s) + Number(receive_s)).toBeGreaterThan(0.19)
    const sum = Number(connect_s) + Number(first_byte_s) + Number(receive_s)
    expect(Number(total_s)).toBeGreaterThanOrEqual(sum - 2e-6)
  }
  const counts = { sent: 3, unsent: 0, received: 3, lost: 0 }
  expect(rowsOf(result, 'http_count')).toMatchObject([counts, counts])
  expect(rowsOf(result, 'tool')[0]).toMatchObject({ tool: 'community-lab http' })
})

it('times the phases of an answer, and says of each lost one where it ended and why', async () => {
  const failures: readonly (readonly [string, string, string])[] = [
    ['/cut', 'receive', 'the connection ended after 5 of 100 bytes'],
    ['/silent', 'first_byte', 'no answer in time'],
    ['/garbage', 'receive', 'what came is no answer of HTTP/1.1'],
    ['/head', 'receive', 'the head of the answer is longer than 65536 bytes'],
    ['/body', 'receive', 'the answer is longer than 100000 bytes'],
    ['/promise', 'receive', 'the answer is longer than 100000 bytes'],
    ['/chunks', 'receive', 'the answer is longer than 100000 bytes'],
    ['/trickle', 'receive', 'no answer in time'],
  ]
  const answered = ['/slow', '/chunked', '/open']
  const programs = [...answered, ...failures.map(([target]) => target)].map((target) =>
    from(target, 'fd00::b', /silent|trickle/u.test(target) ? 2e9 : 4e9),
  )
  const result = await runOnLink([...programs, from('/', 'localhost')], server)
  const rows = new Map(rowsOf(result, 'http').map((row) => [row['url'], row]))
  const found = (target: string) => rows.get(`http://[fd00::b]:8080${target}`) ?? {}
  const slow = found('/slow')
  expect(slow).toMatchObject({ lost: false, status: 404, body_bytes: 4 })
  // What the server waits. On a busy machine, more of it passes before the first byte is seen.
  expect(Number(slow['first_byte_s'])).toBeGreaterThan(0.199)
  expect(Number(slow['total_s'])).toBeGreaterThan(0.499)
  expect(found('/chunked')).toMatchObject({ lost: false, status: 200, body_bytes: 8 })
  expect(found('/open')).toMatchObject({ lost: false, body_bytes: 6 })
  for (const [target, failed, error] of failures)
    expect(found(target)).toMatchObject({ lost: true, failed, error })
  expect(found('/cut')).not.toHaveProperty('total_s')
  const local = rows.get('http://[localhost]:8080/')
  expect(local).toMatchObject({ lost: true, failed: 'connect', error: 'Connection refused' })
  expect(local).toHaveProperty('dns_s')
})

it('leaves https to curl, which says the same of it', async () => {
  const https = (host: string): EndProgram => ({
    at: 'a',
    sliver: '1@1',
    script: httpProgram,
    settings: settings(
      {
        ...{ ...base, count: 1, body_bytes: 0, scheme: 'https', host, port: 8080 },
        ...{ authority: `[${host}]:8080`, target: '/', url: `https://[${host}]:8080/` },
      },
      [['from', '1@1']],
    ),
  })
  const tls = String.raw`dir=$(mktemp -d); trap 'rm -r $dir; kill $b $backs 2>/dev/null || true' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=b -addext 'subjectAltName=IP:fd00::b' -keyout $dir/key -out $dir/own.pem 2>/dev/null
nsenter -t $b -n sh -c "ip addr add fd00::c/64 dev w nodad; exec openssl s_server -6 -quiet -www -accept 8080 -key $dir/key -cert $dir/own.pem" & backs=$!
export CURL_CA_BUNDLE=$dir/own.pem
until nsenter -t $b -n grep -q ':1F90 ' /proc/net/tcp6; do :; done`
  const result = await runOnLink([https('fd00::b'), https('fd00::c')], tls)
  const [right, wrong] = rowsOf(result, 'http')
  expect(right).toMatchObject({ lost: false, status: 200, address: 'fd00::b' })
  for (const phase of ['connect_s', 'tls_s', 'first_byte_s', 'receive_s', 'total_s'])
    expect(Number(right?.[phase])).toBeGreaterThan(0)
  expect(right).not.toHaveProperty('dns_s')
  expect(wrong).toMatchObject({ lost: true, failed: 'tls' })
  expect(String(wrong?.['error'])).toContain('fd00::c')
  expect(rowsOf(result, 'tool')[0]).toMatchObject({ tool: 'curl' })
})

it('says that https needs curl where there is none', async () => {
  const program = from('/')
  const https = { ...program, settings: `${program.settings ?? ''}\nscheme=https` }
  const before = `dir=$(mktemp -d); trap 'rm -r $dir; kill $b' EXIT
for name in sh env cat kill rm; do ln -s "$(which $name)" $dir/$name; done; PATH=$dir`
  const result = await runOnLink([https], before)
  expect(result).toMatchObject({ exitCode: 127 })
  expect(result.stderr).toContain('https needs curl')
})
