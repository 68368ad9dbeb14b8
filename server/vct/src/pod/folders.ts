import { createHash } from 'node:crypto'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'

/** The folders and files of a testbed on this machine. */
export interface Folders {
  /** The data folder, absolute. */
  readonly home: string
  /** 16 hexadecimal digits that identify this home. */
  readonly hash: string
  /** The folder of the sockets. Its path is short enough for the addresses of Unix sockets. */
  readonly run: string
  /** The server's own part of `run`, in which it creates its socket. */
  readonly runServer: string
  readonly vctSocket: string
  readonly serverSocket: string
  readonly gatewaySocket: string
  /** The folder where the pod's `/run` is created before it is moved. */
  readonly stage: string
  readonly logs: string
  /** The data of the server, the nodes and the routers. */
  readonly vct: string
  readonly serverData: string
  readonly credentials: string
  readonly operatorCredentials: string
  readonly ownerCredentials: string
  readonly studentCredentials: string
  readonly template: string
  nodeData(name: string): string
  log(name: string): string
}

/** The longest path of a Unix socket: 108 bytes with the final zero. Source: unix(7). */
const maxSocketPathBytes = 107
const longestSocket = 'server/gateway.sock'

/** Compute the paths of a home. `home` is an absolute path. */
export function foldersOf(home: string, uid = process.getuid?.() ?? 0): Folders {
  const hash = createHash('sha256').update(home).digest('hex').slice(0, 16)
  const near = join(home, 'run')
  const fits = Buffer.byteLength(join(near, longestSocket)) <= maxSocketPathBytes
  const run = fits ? near : `/tmp/community-lab-${uid}-${hash}`
  const vct = join(home, 'vct')
  const logs = join(home, 'logs')
  return {
    home,
    hash,
    run,
    runServer: join(run, 'server'),
    vctSocket: join(run, 'vct.sock'),
    serverSocket: join(run, 'server.sock'),
    gatewaySocket: join(run, 'gateway.sock'),
    stage: `/tmp/community-lab-pod-${hash}`,
    logs,
    vct,
    serverData: join(vct, 'server'),
    credentials: join(home, 'credentials.json'),
    operatorCredentials: join(home, 'credentials-operator.json'),
    ownerCredentials: join(home, 'credentials-owner.json'),
    studentCredentials: join(home, 'credentials-student.json'),
    template: join(home, 'templates', 'tiny.tar.gz'),
    nodeData: (name) => join(vct, 'nodes', name),
    log: (name) => join(logs, `${name}.log`),
  }
}

/** Create the folders that must exist before anything starts. */
export async function makeFolders(folders: Folders): Promise<void> {
  await mkdir(folders.home, { recursive: true, mode: 0o755 })
  for (const dir of [folders.run, folders.logs, folders.vct]) {
    await mkdir(dir, { recursive: true })
    // The server and the slivers are other users and must be able to enter, whatever the umask is.
    await chmod(dir, 0o711)
  }
}
