import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { connect, type Slice } from '@community-lab/kernel'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'
import { formatRatio, formatRounds, printTable } from './table.ts'

const run = promisify(execFile)
/** OpenSSH's configuration for slivers by short names: pssh takes what follows the last colon of an IPv6 address for a port. */
function sshConfiguration(addresses: readonly string[], keyPath: string): string {
  const all = [
    'Host *',
    'User root',
    `IdentityFile ${keyPath}`,
    'StrictHostKeyChecking no',
    'UserKnownHostsFile /dev/null',
    'LogLevel ERROR',
    // OpenSSH's default exchange costs 80 ms of post-quantum arithmetic that ssh2 does not offer: compare like with like.
    'KexAlgorithms curve25519-sha256',
  ]
  const each = addresses.map((address, n) => `Host sliver${n}\nHostName ${address}`)
  return [...each, ...all, ''].join('\n')
}

/**
 * One command on 10 and on 50 slivers: `slice.sh` from a process that has run one before (as a notebook does), beside pssh and clush, which connect
 * again each time, from inside the virtual testbed's server namespace to the same slivers. Alternating rounds; needs Debian's `pssh` and `clustershell`.
 */
export async function measureFanout(rounds: number): Promise<void> {
  for (const [program, debianPackage] of [
    ['parallel-ssh', 'pssh'],
    ['clush', 'clustershell'],
  ] as const)
    if (!existsSync(`/usr/bin/${program}`))
      throw new Error(
        `${program} is not here to be compared with; install Debian's package ${debianPackage}`,
      )
  await using testbed = await startTestbed({ nodes: 10 })
  const lab = connect(testbed.credentials)
  const nodes = await lab.nodes.find({ state: 'production' })
  const slices: Slice[] = []
  const rows: string[][] = []
  for (const size of [10, 50]) {
    while (slices.length * nodes.length < size) {
      slices.push(await lab.slices.ensure(`fanout-${slices.length}`, { template: 'tiny', nodes }))
    }
    await Promise.all(slices.map((slice) => slice.started()))
    rows.push(...(await compare(testbed, lab.sshKeyPath, slices, rounds)))
  }
  printTable(['slivers', 'with', 'seconds', 'ratio'], rows)
  await Promise.all(slices.map((slice) => slice.release()))
  await lab.close()
}

async function compare(
  testbed: RunningTestbed,
  keyPath: string,
  slices: readonly Slice[],
  rounds: number,
): Promise<string[][]> {
  const slivers = slices.flatMap((slice) => slice.slivers)
  const dir = await mkdtemp(path.join(tmpdir(), 'fanout-'))
  const hosts = path.join(dir, 'hosts')
  const config = path.join(dir, 'ssh-config')
  const addresses = slivers.map((sliver) => sliver.managementAddress)
  await writeFile(hosts, addresses.map((_, n) => `sliver${n}\n`).join(''))
  await writeFile(config, sshConfiguration(addresses, keyPath), { mode: 0o600 })
  const width = String(slivers.length)
  const commands = {
    pssh: ['parallel-ssh', '-h', hosts, '-p', width, '-x', `-F ${config}`, 'true'],
    clush: ['clush', '-S', '-f', width, '-o', `-F ${config}`, '--hostfile', hosts, 'true'],
  }
  const seconds: Record<'ours' | 'cold' | 'pssh' | 'clush', number[]> = {
    ours: [],
    cold: [],
    pssh: [],
    clush: [],
  }
  try {
    for (let round = 0; round < rounds; round++) {
      seconds.cold.push(await timeCold(testbed, slices))
      await runOnAll(slices)
      seconds.ours.push(await time(() => runOnAll(slices)))
      for (const peer of ['pssh', 'clush'] as const) {
        seconds[peer].push(await time(() => runInPod(testbed, commands[peer])))
      }
    }
  } finally {
    await rm(dir, { recursive: true })
  }
  const row = (name: string, key: keyof typeof seconds) => [
    width,
    name,
    formatRounds(seconds[key]),
    formatRatio(seconds.ours, seconds[key]),
  ]
  return [
    row('Community-Lab, connections open', 'ours'),
    row('Community-Lab, first command', 'cold'),
    row('pssh', 'pssh'),
    row('clush', 'clush'),
  ]
}

async function timeCold(testbed: RunningTestbed, slices: readonly Slice[]): Promise<number> {
  const lab = connect(testbed.credentials)
  const again = await Promise.all(slices.map((slice) => lab.slices.get(slice.name)))
  const seconds = await time(() => runOnAll(again))
  await lab.close()
  return seconds
}

async function runOnAll(slices: readonly Slice[]): Promise<void> {
  const results = (await Promise.all(slices.map((slice) => slice.sh`true`))).flatMap((r) => [...r])
  const failed = results.filter((result) => result.exitCode !== 0)
  if (failed.length > 0) throw new Error(`${failed.length} slivers did not answer`)
}

async function runInPod(testbed: RunningTestbed, argv: readonly string[]): Promise<void> {
  await run('nsenter', ['-t', String(testbed.podPid), '-n', '--', ...argv], { maxBuffer: 1 << 24 })
}

async function time(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}
