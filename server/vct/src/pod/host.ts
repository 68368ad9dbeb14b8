import { execFile } from 'node:child_process'
import { access, constants, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { userInfo } from 'node:os'
import { promisify } from 'node:util'
import { LabError, messageOf } from '@community-lab/contract'
import { systemPath } from '../network/namespace.ts'

/** The properties of this host that decide about the pod. */
export interface Host {
  readonly mode: 'root' | 'rootless'
  /** Whether the pod has more than one uid, so that the server can have its own. */
  readonly hasManyUids: boolean
  /** The flags of `unshare`. */
  readonly unshareFlags: readonly string[]
  /** What the host lacks, one sentence each. */
  readonly lacks: readonly string[]
}

const commands: Readonly<Record<string, string>> = {
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  mount: 'mount',
  ip: 'iproute2',
  tc: 'iproute2',
  sysctl: 'procps',
  nft: 'nftables',
  ethtool: 'ethtool',
  babeld: 'babeld',
  tincd: 'tinc',
}

/** The server's uid in the pod. Nobody else has it. */
export const serverUid = 64180

/**
 * Examine this host. Changes nothing.
 *
 * @throws {@link LabError} LAB_VCT_COMMAND_MISSING, LAB_VCT_NO_NAMESPACES.
 */
export async function examineHost(signal: AbortSignal): Promise<Host> {
  for (const [command, debianPackage] of Object.entries(commands)) {
    if (!(await isInstalled(command)))
      throw new LabError('LAB_VCT_COMMAND_MISSING', { command, debianPackage })
  }
  const isRoot = process.geteuid?.() === 0
  const separation = ['--fork', '--kill-child', '--pid', '--mount', '--net', '--uts', '--ipc']
  const base = [...separation, '--mount-proc']
  if (isRoot) {
    await probe(base, signal)
    return { mode: 'root', hasManyUids: true, unshareFlags: base, lacks: await lackOfTun() }
  }
  const missing = await whyOneUid()
  const mapping = missing === null ? ['--map-auto', '--map-root-user'] : ['--map-root-user']
  const flags = ['--user', ...mapping, ...base]
  await probe(flags, signal)
  return {
    mode: 'rootless',
    hasManyUids: missing === null,
    unshareFlags: flags,
    lacks: [...(missing === null ? [] : [missing]), ...(await lackOfTun())],
  }
}

async function probe(flags: readonly string[], signal: AbortSignal): Promise<void> {
  try {
    await promisify(execFile)('unshare', [...flags, 'true'], {
      env: { PATH: systemPath },
      timeout: 10_000,
      signal,
    })
  } catch (cause) {
    signal.throwIfAborted()
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    const reason = said || messageOf(cause)
    throw new LabError('LAB_VCT_NO_NAMESPACES', { reason }, { cause })
  }
}

/** Say why an ordinary user gets only one uid, in a sentence; null when there are many. */
async function whyOneUid(): Promise<string | null> {
  const consequence = 'so slivers cannot have users of their own and will not start'
  if (!(await isInstalled('newuidmap')))
    return `newuidmap is not installed, ${consequence}; install Debian's package uidmap.`
  const { username, uid } = userInfo()
  for (const file of ['/etc/subuid', '/etc/subgid']) {
    const text = await readFile(file, 'utf8').catch(() => {
      // Without the file there are no ranges.
      return ''
    })
    if (largestRange(text, username, uid) <= serverUid)
      return `${file} gives ${username} no range of 65536 ids, ${consequence}; as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}.`
  }
  return null
}

/** Return the size of the largest range of ids that subuid(5) gives a user. */
export function largestRange(text: string, username: string, uid: number): number {
  const counts = text
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([owner]) => owner === username || owner === `${uid}`)
    .map(([, , count]) => Number(count))
  return Math.max(0, ...counts.filter((count) => Number.isInteger(count)))
}

async function lackOfTun(): Promise<readonly string[]> {
  const device = '/dev/net/tun'
  return access(device, constants.R_OK | constants.W_OK).then(
    () => [],
    () => [`${device} cannot be used, so the management network goes over raw sockets, slower.`],
  )
}

/** Say why other users cannot read the checkout, so that the server cannot be one of them, in a sentence; null when they can. */
export async function whyUnreadable(app: string): Promise<string | null> {
  const othersRead = 0o004
  const paths = ['server', 'server/bin', 'server/bin/community-lab-server', 'server/dist']
  for (const path of ['.', ...paths, 'server/dist/main.bundle.js', 'node_modules']) {
    const { mode } = await stat(join(app, path))
    if ((mode & othersRead) === 0)
      return `Other users may not read ${join(app, path)}, so the testbed's server runs as you; chmod -R go+rX ${app} changes that.`
  }
  return null
}

async function isInstalled(command: string): Promise<boolean> {
  for (const dir of systemPath.split(':')) {
    const found = await access(join(dir, command), constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return true
  }
  return false
}
