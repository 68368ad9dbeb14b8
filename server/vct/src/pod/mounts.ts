import { chmod, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runScript } from '../network/namespace.ts'
import { serverUid } from './host.ts'

/**
 * Paths in the pod of everything that the server and the slivers use, as any user. The checkout or the data folder may be in a user's home, which
 * other users may not enter.
 */
export const podPaths = {
  root: '/run/vct',
  app: '/run/vct/app',
  /** The folder `vct` of the data folder. Servers and nodes need nothing else of it. */
  data: '/run/vct/data',
  sockets: '/run/vct/sockets',
  /** Node.js's cache of compiled programs, for all but the server, which is another user and has its own. */
  compiled: '/run/vct/data/compiled',
  node: '/run/vct/node/bin/node',
  /** An empty folder. Each node's machine mounts its own files over it. */
  machine: '/run/vct/machine',
  /** The folder of temporary files, for the sockets that programs create there. */
  tmp: '/run/vct/tmp',
} as const

/** The sources of the mounts. */
export interface PodMounts {
  /** The checkout or installation with `server/`, `agent/` and `node_modules/`. */
  readonly app: string
  readonly home: string
  readonly run: string
  /** The Node.js binary. */
  readonly node: string
  /** A folder that does not exist yet, outside the others. */
  readonly stage: string
}

/** Create the pod's own `/run`, add the server's user to `/etc`, and bind-mount the sources. Must run in the pod's mount namespace. */
export async function mountPod(mounts: PodMounts, signal: AbortSignal): Promise<void> {
  const mount = (...argv: string[]) =>
    runScript({ namespace: null, commands: [['mount', '--no-mtab', ...argv]] }, { signal })
  // Sources below the host's /run are needed until /run is replaced, so all mounts are made elsewhere and moved there at the end.
  const sources: { readonly from: string; readonly to: string }[] = [
    { from: mounts.app, to: podPaths.app },
    { from: join(mounts.home, 'vct'), to: podPaths.data },
    { from: mounts.run, to: podPaths.sockets },
  ]
  // Sources below /run also keep their own path, because messages contain it.
  for (const from of [mounts.app, mounts.home, mounts.run])
    if (from.startsWith('/run/')) sources.push({ from, to: from })
  const fresh = mounts.stage
  await makeStage(fresh, mount)
  for (const { from, to } of sources) {
    const at = join(fresh, to.slice('/run/'.length))
    await mkdir(at, { recursive: true })
    await mount('--rbind', from, at)
  }
  const nodeAt = join(fresh, podPaths.node.slice('/run/'.length))
  await mkdir(dirname(nodeAt), { recursive: true })
  await writeFile(nodeAt, '')
  await mount('--bind', mounts.node, nodeAt)
  await mkdir(join(fresh, 'netns'))
  await mkdir(join(fresh, podPaths.machine.slice('/run/'.length)))
  const tmp = join(fresh, podPaths.tmp.slice('/run/'.length))
  await mkdir(tmp)
  await chmod(tmp, 0o1777)
  await mount('--move', fresh, '/run')
  await rmdir(fresh)
  await nameServerUser(mount)
}

/** Mount a tmpfs on a new folder, so that it hides nothing. It is private, so that it can be moved. */
async function makeStage(
  dir: string,
  mount: (...argv: string[]) => Promise<string>,
): Promise<void> {
  await mount('--make-rprivate', '/')
  await mkdir(dir, { mode: 0o700 })
  await mount('-t', 'tmpfs', '-o', 'mode=755,size=64m', 'community-lab', dir)
}

async function nameServerUser(mount: (...argv: string[]) => Promise<string>): Promise<void> {
  const entries = {
    passwd: `community-lab:x:${serverUid}:${serverUid}:Community-Lab server:/nonexistent:/usr/sbin/nologin`,
    group: `community-lab:x:${serverUid}:`,
  }
  const own = join(podPaths.root, 'etc')
  await mkdir(own)
  for (const [file, entry] of Object.entries(entries)) {
    const text = await readFile(`/etc/${file}`, 'utf8')
    await writeFile(join(own, file), `${text.trimEnd()}\n${entry}\n`, { mode: 0o644 })
  }
  // Mount over the whole folder. A mount on a single file would vanish when the host replaces that file, as useradd does.
  await mount('-t', 'overlay', 'community-lab', '/etc', '-o', `lowerdir=${own}:/etc`)
}
