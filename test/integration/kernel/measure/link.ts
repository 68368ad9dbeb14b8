import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { parseLine } from '@community-lab/contract'

/** A program in one of two network namespaces that a cable connects. */
export interface EndProgram {
  /** The namespace: `a` has fd00::a, `b` has fd00::b. */
  readonly at: 'a' | 'b'
  /** The text of a program with its interpreter in the first line. */
  readonly script: string
  /** Its argument. */
  readonly settings?: string
  /** The sliver that it takes itself for. */
  readonly sliver: string
  /** Further variables of its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Its monotonic clock is ahead by so many seconds. */
  readonly monotonicAheadS?: number
  /** It is ended when those have ended that are not in the background. */
  readonly background?: boolean
}

/** A sample that a program has written. */
export interface Written {
  readonly at: 'a' | 'b'
  readonly name: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** What programs at both ends of a cable have written, and how the last one has ended. */
export interface LinkResult {
  readonly rows: readonly Written[]
  readonly exitCode: number
  readonly stderr: string
}

export const runId = 'test-20260504T120000Z-0123456789ab'

/** Shell lines after which b gets no fourth UDP packet. */
export const dropFourth = `nsenter -t $b -n nft -f - << 'rules'
table ip6 lossy {
  chain input { type filter hook input priority 0; meta l4proto udp numgen inc mod 4 3 drop; }
}
rules`

const wire = `set -e
unshare -n sleep 3600 & b=$!
until [ "$(readlink /proc/$b/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do :; done
trap 'kill $b $backs 2>/dev/null || true' EXIT
sysctl -qw net.ipv6.conf.default.accept_dad=0
nsenter -t $b -n sysctl -qw net.ipv6.conf.default.accept_dad=0
ip link set lo up
ip link add w type veth peer name w netns $b
ip addr add fd00::a/64 dev w nodad
ip link set w up
nsenter -t $b -n sh -c 'ip link set lo up; ip addr add fd00::b/64 dev w nodad; ip link set w up'
`

/** Run programs at both ends of a cable, without root where the host allows namespaces. `before`: shell lines that run before; \`$b\` is a process in namespace b. */
export async function runOnLink(programs: readonly EndProgram[], before = ''): Promise<LinkResult> {
  const dir = await mkdtemp(path.join(tmpdir(), 'link-'))
  try {
    const lines = await Promise.all(
      programs.map(
        async ({ at, script, settings = '', sliver, background = false, ...more }, index) => {
          const file = path.join(dir, `program-${index}`)
          await writeFile(file, script, { mode: 0o755 })
          await writeFile(`${file}.settings`, settings)
          const enter = at === 'b' ? 'nsenter -t $b -n ' : ''
          const further = Object.entries(more.env ?? {}).map(([name, value]) => ` ${name}=${value}`)
          const env = `COMMUNITY_LAB_SLIVER=${sliver} COMMUNITY_LAB_MEASURE=${dir}/rows-${at}-${index}${further.join('')}`
          const ahead = more.monotonicAheadS
          const clock = ahead === undefined ? '' : `unshare --time --fork --monotonic ${ahead} `
          const run = `${enter}${clock}env ${env} sh -c 'cd ${dir} && exec ${file} "$(cat ${file}.settings)"'`
          return background ? `${run} & backs="$backs $!"` : `${run} & fronts="$fronts $!"`
        },
      ),
    )
    const text = `${wire}${before}\n${lines.join('\n')}\ncode=0\nfor pid in $fronts; do wait $pid || code=$?; done\nexit $code\n`
    const args = ['--user', '--map-root-user', '--net', 'sh', '-c', text]
    const env = { ...process.env, COMMUNITY_LAB_RUN: runId }
    const { exitCode, stderr } = await new Promise<{ exitCode: number; stderr: string }>(
      (resolve) => {
        execFile('unshare', args, { env }, (error, _, stderr) => {
          const code = error === null ? 0 : error.code
          resolve({ exitCode: typeof code === 'number' ? code : -1, stderr })
        })
      },
    )
    const rows: Written[] = []
    for (const [index, { at }] of programs.entries())
      rows.push(...(await readRows(path.join(dir, `rows-${at}-${index}`), at)))
    return { rows, exitCode, stderr }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function readRows(file: string, at: 'a' | 'b'): Promise<Written[]> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const parsed = parseLine(line)
      if (!parsed.ok) throw new Error(`${parsed.reason}: ${line}`)
      return { at, name: parsed.name, fields: parsed.fields }
    })
}

/** Return the fields of the rows of a measurement. */
export function rowsOf({ rows }: LinkResult, name: string): readonly Written['fields'][] {
  return rows.filter((row) => row.name === name).map(({ fields }) => fields)
}
