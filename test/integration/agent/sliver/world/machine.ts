import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile } from 'node:fs/promises'
import process from 'node:process'
import { promisify } from 'node:util'
import { patienceMs } from '../../../../support/eventually.ts'
import type { Place } from '../../../../support/place.ts'

/** A node's machine for a test: a process-id, mount and network namespace, with two hosts beside it. */
export interface Machine extends AsyncDisposable {
  /** A folder for everything of the test. */
  readonly dir: string
  /** The argv that runs a command on it. */
  inside(argv: readonly string[]): readonly string[]
  /** Run a shell script on it; returns what it printed. */
  sh(script: string): Promise<string>
  /** Run a shell script on the testbed's `server`, or on a `host` of the community network. */
  shOn(host: 'server' | 'host', script: string): Promise<string>
}

export const mgmtPrefix = 'fd65:fc41:c50f::/48'
export const serverAddress = 'fd65:fc41:c50f::2'
export const publicPrefix = 'fd77:0:0:3::/64'
/** Not the default, so that a test sees where it comes from. */
export const sliverMacPrefix = 0x0ac1
export const hostAddress = 'fd77::99'

/** The node reaches the server by `mgmt`, as if by tinc, and the community network by `cn0`. */
const boot = `set -e
mount -t tmpfs tmpfs /run
mkdir /run/netns
ip link set lo up
for peer in server:mgmt host:cn0; do
  ip netns add "\${peer%:*}"
  ip -n "\${peer%:*}" link set lo up
  ip link add "\${peer#*:}" type veth peer name eth0 netns "\${peer%:*}"
  ip -n "\${peer%:*}" link set eth0 up
  ip link set "\${peer#*:}" up
  ip addr add fe80::1/64 dev "\${peer#*:}" nodad
  ip -n "\${peer%:*}" addr add fe80::2/64 dev eth0 nodad
  ip -n "\${peer%:*}" -6 route add default via fe80::1 dev eth0
done
ip -n server addr add ${serverAddress}/128 dev eth0 nodad
ip -n host addr add ${hostAddress}/128 dev eth0 nodad
ip -6 route add ${serverAddress}/128 via fe80::2 dev mgmt
ip -6 route add ${hostAddress}/128 via fe80::2 dev cn0
echo on
while :; do sleep 86400 & wait $!; done`

/** Power a machine on, of whoever this place is of. Its end takes everything that ever ran on it. */
export async function powerOn(place: Place, isRoot: boolean): Promise<Machine> {
  const dir = await mkdtemp(place.homePrefix)
  await place.own(dir)
  await chmod(dir, 0o711)
  const users = isRoot ? [] : ['--user', '--map-auto', '--map-root-user']
  const flags = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const argv = place.wrap(['unshare', ...users, ...flags, 'sh', '-c', boot])
  const child = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] })
  const said = await Promise.race([
    once(child.stdout, 'data').then(() => 'on'),
    once(child, 'exit').then(() => 'ended'),
  ])
  const first = await firstChildOf(child.pid ?? 0)
  if (said !== 'on' || first === null) throw new Error('the machine did not come up')
  const user = isRoot ? [] : ['--user']
  const enter = ['nsenter', `--target=${first}`, ...user, '--mount', '--net', '--pid', '--']
  const run = async (inner: readonly string[]): Promise<string> => {
    const [command = '', ...args] = [...enter, ...inner]
    const { stdout } = await promisify(execFile)(command, args, {
      timeout: patienceMs,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: dir },
    })
    return stdout
  }
  return {
    dir,
    inside: (inner) => [...enter, ...inner],
    sh: (script) => run(['sh', '-c', script]),
    shOn: (host, script) => run(['ip', 'netns', 'exec', host, 'sh', '-c', script]),
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit')
      process.kill(first, 'SIGKILL')
      await gone
      await place.remove(dir)
    },
  }
}

async function firstChildOf(pid: number): Promise<number | null> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const [first = ''] = children.trim().split(' ')
  return first === '' ? null : Number(first)
}
