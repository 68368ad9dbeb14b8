import { measurePath } from '@community-lab/contract'
import { quote } from '../ssh/quote.ts'
import { findPing } from '../run/ping.ts'

/** The probes of slivers. */
export interface RttProgramOptions {
  /** The slivers to probe. A sliver does not probe itself. */
  readonly peers: readonly {
    readonly sliver: string
    readonly name: string
    readonly address: string
  }[]
  /** The time between two probes, in milliseconds. */
  readonly everyMs: number
  /** The number of probes to each peer. */
  readonly count: number
  /** The path to which samples are written; default: the sliver's measurement path. */
  readonly to?: string
}

/** A probe without an answer after this time, or after the time between probes if that is longer, is lost. */
const patienceMs = 1_000

/**
 * Write the script that measures round-trip times with iputils' ping and writes a sample for each probe. An answer to a probe that is lost already is a sample
 * of its own with `late=true`; a second answer is one with `duplicate=true`.
 *
 * Source: the output of iputils' ping with -O: `64 bytes from A: icmp_seq=N ttl=T time=M ms`, `no answer yet for icmp_seq=N`, `N packets transmitted, …`. Its
 * sequence numbers have 16 bits.
 */
export function rttProgram({ peers, everyMs, count, to = measurePath }: RttProgramOptions): string {
  const grace = Math.max(1, Math.ceil(patienceMs / everyMs))
  const seconds = (everyMs / 1000).toFixed(3)
  const lines = peers.map(({ sliver, address, name }) => `${sliver} ${address} ${name}`)
  return `#!/bin/sh
${findPing}
probe() {
  LC_ALL=C $ping -n -O -i ${seconds} -c ${count} -W 1 "$1" 2>&1 |
    awk -v peer="$2" -v run="$COMMUNITY_LAB_RUN" -v fifo=${quote(to)} -v grace=${grace} '${reader}' || echo "no probe of $2 was sent" >> failed
}
rm -f failed
while read -r sliver address name; do
  [ "$sliver" = "$COMMUNITY_LAB_SLIVER" ] || probe "$address" "$name" &
done << 'peers'
${lines.join('\n')}
peers
wait
test ! -e failed
`
}

const reader = `
function put(fields) {
  print "rtt " fields " peer=\\"" peer "\\" run=\\"" run "\\"" > fifo
  close(fifo)
}
function lose(s) {
  if (s in known) return
  known[s] = "lost"
  put("lost=true seq_no=" s)
}
function member(key) {
  if (!match($0, key "=[0-9.]+")) return ""
  return substr($0, RSTART + length(key) + 1, RLENGTH - length(key) - 1)
}
/icmp_seq=[0-9]+/ {
  s = member("icmp_seq") + base
  while (s < last - 32768) { base += 65536; s += 65536 }
  if (s > last) last = s
  time = member("time")
  if (time != "") {
    more = known[s] == "lost" ? " late=true" : known[s] == "answered" ? " duplicate=true" : ""
    known[s] = "answered"
    put(sprintf("rtt_s=%.6f lost=false seq_no=%d ttl=%d%s", time / 1000, s, member("ttl"), more))
  }
  while (given < last - grace) lose(++given)
  next
}
/packets transmitted/ { sent = $1; next }
{ print > "/dev/stderr" }
END {
  while (given < sent) lose(++given)
  exit last == 0
}
`
