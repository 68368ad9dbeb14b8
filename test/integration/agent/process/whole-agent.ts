import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { serverTincName, type NodeReport, type NodeTarget } from '@community-lab/contract'
import { ensureTincKey } from '@community-lab/contract/host'
import { saveIdentity } from '../../../../agent/src/mgmt/identity.ts'
import { eventually } from '../../../support/eventually.ts'
import { mgmtPrefix, publicPrefix, serverAddress, type Machine } from '../sliver/world/machine.ts'

/** What the server of a test is told when it starts. */
export interface ServerSettings {
  readonly dir: string
  readonly nodeId: number
}

/** What the server of a test is to do from now on. */
export interface ServerChange {
  readonly target?: NodeTarget
  /** Files, by the path at which the server has them. */
  readonly images?: Readonly<Record<string, string>>
  /** false: it sends the first half of an image and then waits. */
  readonly sendsWholeImages?: boolean
}

/** What the server of a test has done. */
export type ServerNews =
  | { readonly kind: 'ready'; readonly port: number; readonly certificateSha256: string }
  | { readonly kind: 'report'; readonly report: NodeReport }
  | { readonly kind: 'half' }

/** The server of one node, as a process on the node's machine. */
export interface NodeServer extends Disposable {
  readonly port: number
  readonly certificateSha256: string
  change(change: ServerChange): void
  /** Settles when the server has sent the first half of an image. */
  readonly hasSentHalf: Promise<unknown>
  /** Wait until the node reports that these slivers, and no others, are started. */
  started(...ids: readonly string[]): Promise<void>
}

/** The real program of the agent, on a machine. */
export interface WholeAgent {
  /** End it with SIGTERM. Returns its exit code. */
  stop(): Promise<number | null>
}

const programs = import.meta.dirname

/** Start the server of a node. */
export async function startNodeServer(machine: Machine, nodeId: number): Promise<NodeServer> {
  const dir = join(machine.dir, 'server')
  const child = run(machine, [join(programs, 'node-server.ts'), JSON.stringify({ dir, nodeId })])
  const ready = Promise.withResolvers<Extract<ServerNews, { kind: 'ready' }>>()
  const half = Promise.withResolvers<null>()
  let started: readonly string[] = []
  child.on('message', (news: ServerNews) => {
    if (news.kind === 'ready') ready.resolve(news)
    else if (news.kind === 'half') half.resolve(null)
    else
      started = news.report.slivers.filter(({ state }) => state === 'started').map(({ id }) => id)
  })
  const { port, certificateSha256 } = await ready.promise
  return {
    port,
    certificateSha256,
    hasSentHalf: half.promise,
    change: (change) => void child.send(change),
    started: (...ids) =>
      eventually(() => {
        if (started.join() !== ids.join()) throw new Error(`started: ${started.join()}`)
      }),
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  }
}

/** Give a node the identity that it would get by its enrolment. */
export async function enrolByHand(
  dataDir: string,
  { nodeId, server }: { readonly nodeId: number; readonly server: NodeServer },
): Promise<void> {
  const { pubkey } = await ensureTincKey(join(dataDir, '..', 'server-tinc'))
  await mkdir(dataDir, { recursive: true, mode: 0o711 })
  await saveIdentity(dataDir, {
    node: { id: nodeId, name: `n${nodeId}` },
    token: 'a-token',
    mgmt_ipv6_prefix: mgmtPrefix,
    server: {
      url: `https://127.0.0.1:${server.port}`,
      certificate_sha256: server.certificateSha256,
      mgmt_addr: serverAddress,
      tinc: { name: serverTincName(), pubkey, addresses: [] },
    },
  })
}

/** Start the agent's program. Its clock is as many milliseconds ahead as the file `clock` beside the data folder says. */
export function startWholeAgent(machine: Machine, dataDir: string): WholeAgent {
  const clock = join(machine.dir, 'clock')
  const main = join(programs, '../../../../agent/src/main.ts')
  const child = run(machine, ['--import', join(programs, 'shifted-clock.mjs'), main], {
    CLOCK_SHIFT_FILE: clock,
    COMMUNITY_LAB_AGENT_DATA: dataDir,
    COMMUNITY_LAB_AGENT_PUBLIC_PREFIX: publicPrefix,
    COMMUNITY_LAB_AGENT_CGROUP: `cl-test-${process.pid}-whole`,
    COMMUNITY_LAB_AGENT_POLL_S: '1',
    COMMUNITY_LAB_AGENT_HEALTH_INTERVAL_S: '1',
    COMMUNITY_LAB_AGENT_LOG_LEVEL: 'warn',
  })
  const exited = once(child, 'exit')
  return {
    async stop() {
      const [pid = ''] = (await readFile(join(dataDir, 'agent.pid'), 'utf8')).split(' ')
      await machine.sh(`kill -TERM ${pid}`)
      const [code] = (await exited) as [number | null]
      return code
    },
  }
}

/** Set the clock of the agent this far forward. */
export async function shiftClock(machine: Machine, milliseconds: number): Promise<void> {
  await writeFile(join(machine.dir, 'clock'), String(milliseconds))
}

function run(
  machine: Machine,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  const [command = '', ...args] = machine.inside([process.execPath, ...argv])
  return spawn(command, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: machine.dir, ...env },
  })
}
