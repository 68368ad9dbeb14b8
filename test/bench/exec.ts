import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { nodeManagementAddress, routes, vctManagementPrefix } from '@community-lab/contract'
import { connect, type Slice, type Sliver } from '@community-lab/kernel'
import ssh2 from 'ssh2'
import { openTunnel } from '../../kernel/src/ssh/tunnel.ts'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'
import { readCpu } from './processes.ts'
import { median, printTable } from './table.ts'

const run = promisify(execFile)
const nodeCount = 10
const fanOut = 50
const looks = 200

/**
 * What the time of a command goes to, hop by hop, on a testbed where nothing else happens; and who spends the processor time of one command on 50 slivers. Medians
 * over all rounds. Connections are open, as in a notebook that has run a command before.
 */
export async function measureExec(rounds: number): Promise<void> {
  await using testbed = await startTestbed({ nodes: nodeCount })
  const lab = connect(testbed.credentials)
  const nodes = await lab.nodes.find({ state: 'production' })
  const slices: Slice[] = []
  while (slices.length * nodes.length < fanOut)
    slices.push(await lab.slices.ensure(`exec-${slices.length}`, { template: 'tiny', nodes }))
  await Promise.all(slices.map((slice) => slice.started()))
  const sliver = slices[0]?.slivers[0]
  if (sliver === undefined) throw new Error('there is no sliver')
  const privateKey = await readFile(lab.sshKeyPath, 'utf8')
  await measureHops(testbed, sliver, { privateKey, rounds })
  await measureFanOut(testbed, slices, rounds)
  await Promise.all(slices.map((slice) => slice.release()))
  await lab.close()
}

async function measureHops(
  testbed: RunningTestbed,
  sliver: Sliver,
  { privateKey, rounds }: { readonly privateKey: string; readonly rounds: number },
): Promise<void> {
  const { url, token } = testbed.credentials
  const stream = await openTunnel({
    url,
    sliverId: sliver.id,
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(20_000),
  })
  const client = await connectClient(stream, privateKey)
  const hops: readonly (readonly [string, () => Promise<readonly number[]>])[] = [
    [
      'a request to the server and its answer',
      () => times(async () => (await fetch(url + routes.health)).text()),
    ],
    [
      'tinc: a ping from the server to the node and back',
      () => pings(testbed, nodeManagementAddress(vctManagementPrefix, sliver.nodeId)),
    ],
    [
      'the same to the sliver: the node forwards it',
      () => pings(testbed, sliver.managementAddress),
    ],
    ['a round trip of SSH to the sliver, no process', () => times(() => roundTrip(client))],
    ['a process in the sliver: a shell starts `sh -c true`', () => processes(sliver)],
    ['exec of `true`, as a whole', () => times(() => sliver.sh`true`)],
  ]
  const found = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++)
    for (const [name, measure] of hops)
      found.set(name, [...(found.get(name) ?? []), ...(await measure())])
  client.end()
  printTable(
    ['hop', 'median', 'a tenth is faster than', 'a tenth is slower than'],
    [...found].map(([name, ms]) => [name, ...[0.5, 0.1, 0.9].map((at) => formatMs(ms, at))]),
  )
}

async function measureFanOut(
  testbed: RunningTestbed,
  slices: readonly Slice[],
  rounds: number,
): Promise<void> {
  const all = (): Promise<unknown> => Promise.all(slices.map((slice) => slice.sh`true`))
  await all()
  const repeats = rounds * 10
  const before = await readCpu(testbed.launcherPid)
  const own = process.cpuUsage()
  const ms: number[] = []
  for (let repeat = 0; repeat < repeats; repeat++) ms.push(await time(all))
  const { user, system } = process.cpuUsage(own)
  const after = await readCpu(testbed.launcherPid)
  const parts: (readonly [string, number])[] = [
    ['this process, the library', (user + system) / 1000],
    ...[...after].map(
      ([part, seconds]) => [part, (seconds - (before.get(part) ?? 0)) * 1000] as const,
    ),
  ]
  const sumMs = parts.reduce((sum, [, partMs]) => sum + partMs, 0)
  const rows = [['all', sumMs] as const, ...parts].map(([part, partMs]) => [
    part,
    `${(partMs / repeats).toFixed(1)} ms`,
  ])
  console.log(`\none command on ${fanOut} slivers: ${formatMs(ms, 0.5)}`)
  printTable(['part', 'CPU'], rows)
}

function connectClient(
  sock: Awaited<ReturnType<typeof openTunnel>>,
  privateKey: string,
): Promise<ssh2.Client> {
  const client = new ssh2.Client()
  client.setNoDelay(true)
  return new Promise((resolve, reject) => {
    client.once('ready', () => resolve(client)).once('error', reject)
    client.connect({ sock, username: 'root', privateKey, authHandler: ['publickey'] })
  })
}

/** Ask for a connection to a port where nobody listens: the sliver's SSH server answers without starting a process. */
function roundTrip(client: ssh2.Client): Promise<void> {
  return new Promise((resolve, reject) => {
    client.forwardOut('127.0.0.1', 1, '127.0.0.1', 1, (error) =>
      error === undefined ? reject(new Error('port 1 of the sliver is open')) : resolve(),
    )
  })
}

async function pings(testbed: RunningTestbed, address: string): Promise<readonly number[]> {
  const ping = ['ping', '-6', '-n', '-c', String(looks), '-i', '0.005', address]
  const { stdout } = await run('nsenter', ['-t', String(testbed.podPid), '-n', '--', ...ping])
  return [...stdout.matchAll(/time=([\d.]+) ms/gu)].map(([, ms]) => Number(ms))
}

/** One number: the mean of many, for a shell in the sliver cannot tell the time of one. */
async function processes(sliver: Sliver): Promise<readonly number[]> {
  const many = async (): Promise<void> => {
    await sliver.sh`i=0; while [ $i -lt ${looks} ]; do sh -c true; i=$((i + 1)); done`
  }
  return [(await time(many)) / looks]
}

async function times(work: () => Promise<unknown>): Promise<readonly number[]> {
  const ms: number[] = []
  for (let look = 0; look < looks; look++) ms.push(await time(work))
  return ms
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function formatMs(ms: readonly number[], at: number): string {
  const sorted = [...ms].sort((a, b) => a - b)
  const value = at === 0.5 ? median(ms) : (sorted[Math.floor(at * sorted.length)] ?? Number.NaN)
  return `${value.toFixed(2)} ms`
}
