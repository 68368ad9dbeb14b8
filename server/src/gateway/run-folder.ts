import { lstat, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  LabError,
  renderHostFile,
  renderPresenceScript,
  renderTincConf,
  renderTincUp,
  serverManagementAddress,
  parseTincName,
  tincSubnet,
  type TincDevice,
} from '@community-lab/contract'
import type { TincSource } from './source-folder.ts'

/** What tincd must do after a change of the folder. */
export type FolderChange = 'none' | 'hosts' | 'daemon'

/** The name of the server's management interface. */
export const gatewayInterface = 'clab-server'

/**
 * Create the folder that tincd runs on, which only the gateway may enter, or check the present one.
 *
 * tincd executes `tinc-up`, `host-up`, even `hosts/<name>-up`, and obeys options such as `PublicKeyFile`, all with the gateway's privileges. So it never runs
 * on the folder that the server writes. The server's files are data, which `readTincSource` checks. The gateway writes everything that is executed or
 * configures tincd itself, in a folder that only root can write.
 * @throws {@link LabError} LAB_GATEWAY_UNSAFE_FOLDER.
 */
export async function makeRunFolder(dir: string): Promise<void> {
  await mkdir(dir, { mode: 0o700 }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST')
      throw new LabError(
        'LAB_GATEWAY_UNSAFE_FOLDER',
        { folder: dir, reason: codeOf(error) },
        { cause: error },
      )
  })
  const stat = await lstat(dir)
  const reason = !stat.isDirectory()
    ? 'it is not a folder'
    : stat.uid !== process.geteuid?.()
      ? `it belongs to uid ${stat.uid}`
      : (stat.mode & 0o077) !== 0
        ? 'others may enter it'
        : null
  if (reason !== null) throw new LabError('LAB_GATEWAY_UNSAFE_FOLDER', { folder: dir, reason })
  await mkdir(join(dir, 'hosts'), { recursive: true, mode: 0o700 })
}

/** Options of {@link writeRunFolder}. */
export interface RunFolderOptions {
  readonly device: TincDevice
  /** Compare only the files of these hosts; default: all. */
  readonly among?: readonly string[] | undefined
}

/** Write the folder from its source. Only files that differ are written, because tincd drops the connection of every host whose file has a new time. */
export async function writeRunFolder(
  dir: string,
  source: TincSource,
  { device, among }: RunFolderOptions,
): Promise<FolderChange> {
  const { network } = source
  const own = tincSubnet(network.prefix, network.name)
  const id = parseTincName(network.name)?.id
  const at = {
    interface: gatewayInterface,
    address: serverManagementAddress(network.prefix, id),
    prefix: network.prefix,
  }
  const conf = renderTincConf({
    name: network.name,
    interface: gatewayInterface,
    device,
    connectTo: [],
    role: 'hub',
  })
  const hub = { port: network.port, subnets: own === null ? [] : [own], pubkey: source.publicKey }
  const daemon = [
    await writeChanged(join(dir, 'tinc.conf'), conf, 0o600),
    await writeChanged(join(dir, 'rsa_key.priv'), source.privateKey, 0o600),
    await writeChanged(join(dir, 'tinc-up'), renderTincUp(device, at), 0o700),
    await writeChanged(join(dir, 'host-up'), renderPresenceScript('host-up'), 0o700),
    await writeChanged(join(dir, 'host-down'), renderPresenceScript('host-down'), 0o700),
    await writeChanged(join(dir, 'hosts', network.name), renderHostFile(hub), 0o600),
  ]
  let hosts = false
  for (const name of among ?? source.hosts.keys()) {
    const pubkey = source.hosts.get(name)
    if (pubkey === undefined) continue
    const subnet = tincSubnet(network.prefix, name)
    const text = renderHostFile({ subnets: subnet === null ? [] : [subnet], pubkey })
    hosts = (await writeChanged(join(dir, 'hosts', name), text, 0o600)) || hosts
  }
  const there = await readdir(join(dir, 'hosts'))
  const gone = new Set(among ?? there)
  for (const name of there) {
    if (!gone.has(name) || source.hosts.has(name) || name === network.name) continue
    await rm(join(dir, 'hosts', name), { recursive: true })
    hosts = true
  }
  return daemon.includes(true) ? 'daemon' : hosts ? 'hosts' : 'none'
}

async function writeChanged(path: string, text: string, mode: number): Promise<boolean> {
  const before = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  })
  if (before === text) return false
  await writeFile(`${path}.tmp`, text, { mode })
  if (before !== null) {
    // tincd compares whole seconds with the time of its last reload. Without this it would not see a change within that second.
    const soon = new Date(Date.now() + 1000)
    await utimes(`${path}.tmp`, soon, soon)
  }
  await rename(`${path}.tmp`, path)
  return true
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
