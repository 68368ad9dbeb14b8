import { chmod, chown, mkdir, rm, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { vctManagementPrefix } from '@community-lab/contract'
import { serverRouter } from '../network/babel.ts'
import { systemPath } from '../network/namespace.ts'
import { superviseRouter } from '../network/router.ts'
import { serverCommunityAddress, type Topology } from '../network/topology.ts'
import { LogFile } from '../process/log-file.ts'
import { supervise, type Supervised } from '../process/supervised.ts'
import type { PodConfiguration } from './configuration.ts'
import type { Folders } from './folders.ts'
import { serverUid } from './host.ts'
import { podPaths } from './mounts.ts'

/** The server, its gateway and its router. */
export interface ServerPart {
  readonly router: Supervised
  readonly gateway: Supervised
  readonly server: Supervised
}

/** The file for the server's first operator's token, relative to its data folder. */
export const bootstrapTokenFile = 'bootstrap-token'

const programEnv = { PATH: systemPath, LANG: 'C.UTF-8', HOME: '/nonexistent' }

/** Create the server's folders, which only the server may enter, and the link to its socket. */
export async function prepareServer(folders: Folders, hasManyUids: boolean): Promise<void> {
  for (const dir of [folders.serverData, folders.runServer]) {
    await mkdir(dir, { recursive: true })
    if (hasManyUids) await chown(dir, serverUid, serverUid)
  }
  await chmod(folders.serverData, 0o700)
  await chmod(folders.runServer, 0o711)
  await rm(folders.serverSocket, { force: true })
  await symlink('server/server.sock', folders.serverSocket)
}

/** Supervise the server, its gateway and its router. None is started yet. */
export function createServerPart(
  configuration: PodConfiguration,
  folders: Folders,
  topology: Topology,
): ServerPart {
  const data = join(podPaths.data, 'server')
  const gatewaySocket = join(podPaths.sockets, 'gateway.sock')
  const { hasManyUids } = configuration
  const serverEnv = {
    ...programEnv,
    // Its launcher looks for Node.js in PATH.
    PATH: `${dirname(podPaths.node)}:${systemPath}`,
    TMPDIR: podPaths.tmp,
    // A program writes it when it ends properly, and reads it at its next start.
    NODE_COMPILE_CACHE: join(data, 'compiled'),
    ...configuration.serverEnv,
    COMMUNITY_LAB_SERVER_DATA: data,
    COMMUNITY_LAB_SERVER_SOCKET: join(podPaths.sockets, 'server', 'server.sock'),
    COMMUNITY_LAB_SERVER_LISTEN: '[::]:8443',
    COMMUNITY_LAB_SERVER_COMMUNITY_URL: `https://[${serverCommunityAddress}]:8443`,
    COMMUNITY_LAB_SERVER_TINC_ADDRESS: serverCommunityAddress,
    COMMUNITY_LAB_SERVER_TINC_PORT: '655',
    COMMUNITY_LAB_SERVER_MGMT_PREFIX: vctManagementPrefix,
    COMMUNITY_LAB_SERVER_GATEWAY_SOCKET: gatewaySocket,
    COMMUNITY_LAB_SERVER_BOOTSTRAP_TOKEN_FILE: join(data, bootstrapTokenFile),
  }
  const gatewayEnv = {
    ...programEnv,
    NODE_COMPILE_CACHE: podPaths.compiled,
    COMMUNITY_LAB_GATEWAY_SOCKET: gatewaySocket,
    COMMUNITY_LAB_GATEWAY_TINC_DIR: join(data, 'tinc'),
    // Without a uid of its own, the server is this user, who is root in this namespace.
    COMMUNITY_LAB_GATEWAY_OWNER_UID: `${hasManyUids ? serverUid : 0}`,
  }
  return {
    router: superviseRouter({
      name: 'server',
      router: serverRouter(topology),
      log: new LogFile(folders.log('server-router')),
      dir: routerFolder,
    }),
    gateway: supervise({
      name: 'the gateway',
      log: new LogFile(folders.log('gateway')),
      command: () => ({
        argv: [podPaths.node, join(podPaths.app, 'server/dist/gateway/main.bundle.js')],
        env: gatewayEnv,
        cwd: '/',
      }),
    }),
    server: supervise({
      name: 'the server',
      log: new LogFile(folders.log('server')),
      command: () => ({
        argv: [...asServer(hasManyUids), join(podPaths.app, 'server/bin/community-lab-server')],
        env: serverEnv,
        cwd: '/',
      }),
    }),
  }
}

/** The folder in the pod for the routers' files. */
export const routerFolder = join(podPaths.root, 'routers')

/** Return the argv that runs a command as the server's user, without privileges and without a way to gain any. */
function asServer(hasManyUids: boolean): readonly string[] {
  const id = `${serverUid}`
  if (!hasManyUids) {
    // In a namespace of its own, the kernel lets one uid be mapped to another. PostgreSQL and the server then see that they are not root.
    return ['unshare', '--user', `--map-user=${id}`, `--map-group=${id}`, '--']
  }
  const identity = ['--reuid', id, '--regid', id, '--clear-groups']
  return ['setpriv', ...identity, '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs', '--']
}
