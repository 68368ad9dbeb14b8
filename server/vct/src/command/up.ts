import { access, mkdir, realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import process from 'node:process'
import { fromProblem, LabError } from '@community-lab/contract'
import { startPod, type Pod } from '../launch/pod-process.ts'
import { relayPort } from '../launch/port-relay.ts'
import { postSweeper, sweep } from '../launch/sweep.ts'
import { createCgroupParent } from '../pod/cgroup.ts'
import { settingsFor, type PodConfiguration } from '../pod/configuration.ts'
import { foldersOf, makeFolders, type Folders } from '../pod/folders.ts'
import { examineHost, whyUnreadable, type Host } from '../pod/host.ts'
import { readHost, shareOf } from '../pod/share.ts'
import { takeLock } from '../pod/lock.ts'
import type { UpArguments } from './arguments.ts'
import { doStep, type ReadyLine, type Say } from '../progress.ts'

/** The most time for a proper end of the pod before it is killed, in milliseconds. */
const graceMs = 20_000

/** The folder with `server/`, `agent/` and `node_modules/`. */
const app = resolve(import.meta.dirname, '../../../..')

/**
 * Bring a testbed up, and return when the signal was aborted or it was stopped from elsewhere. Then only its data folder is left.
 *
 * @throws {@link LabError} LAB_VCT_RUNNING, LAB_PORT_IN_USE, LAB_VCT_NO_TEMPLATE, what the host lacks, and what fails in the pod; the signal's reason
 * when it is aborted before the testbed is up.
 */
export async function bringUp(args: UpArguments, say: Say, signal: AbortSignal): Promise<void> {
  const url = `http://127.0.0.1:${args.port}`
  await using stack = new AsyncDisposableStack()
  const home = await makeHome(args.home)
  const folders = foldersOf(home)
  stack.use(await takeLock(folders, { state: 'running', url }))
  const template = args.template ?? folders.template
  await requireTemplate(template)
  stack.use(await relayPort(args.port, folders.serverSocket))
  const host = await doStep(say, 'host', () => examineHost(signal))
  const sweeper = postSweeper(home)
  stack.defer(async () => {
    await sweep(folders)
    sweeper.dismiss()
  })
  await sweep(folders)
  await makeFolders(folders)
  const cgroup = await createCgroupParent(folders.hash)
  signal.throwIfAborted()
  const unreadable = await whyUnreadable(app)
  const lacks = [...host.lacks, 'lacks' in cgroup ? cgroup.lacks : null, unreadable]
  const lends = shareOf(await readHost(home), args.nodes)
  const configuration = configure({ args, folders, host, url, template })
  await stayWithPod({
    configuration: {
      ...configuration,
      lends,
      hasManyUids: host.hasManyUids && unreadable === null,
      cgroup: 'name' in cgroup ? cgroup.name : null,
      lacks: lacks.filter((lack) => lack !== null),
    },
    host,
    folders,
    say,
    signal,
  })
}

/** Create the data folder, and return its real path. Values are derived from the path, and must not depend on a symbolic link in it. */
async function makeHome(home: string): Promise<string> {
  await mkdir(home, { recursive: true, mode: 0o755 })
  return realpath(home)
}

async function requireTemplate(file: string): Promise<void> {
  await access(file).catch((cause: unknown) => {
    throw new LabError('LAB_VCT_NO_TEMPLATE', { file }, { cause })
  })
}

interface Setting {
  readonly args: UpArguments
  readonly folders: Folders
  readonly host: Host
  readonly url: string
  readonly template: string
}

function configure({ args, folders, host, url, template }: Setting) {
  return {
    home: folders.home,
    app,
    node: process.execPath,
    nodes: args.nodes,
    url,
    template,
    uid: process.getuid?.() ?? 0,
    mode: host.mode,
    serverEnv: settingsFor('SERVER', process.env),
    agentEnv: settingsFor('AGENT', process.env),
  }
}

interface Stay {
  readonly configuration: PodConfiguration
  readonly host: Host
  readonly folders: Folders
  readonly say: Say
  readonly signal: AbortSignal
}

async function stayWithPod({ configuration, host, folders, say, signal }: Stay): Promise<void> {
  const logFile = folders.log('vct')
  const heard: { error: LabError | null; isUp: boolean; hasStopped: boolean } = {
    error: null,
    isUp: false,
    hasStopped: false,
  }
  const pod: Pod = startPod({
    configuration,
    unshareFlags: host.unshareFlags,
    logFile,
    onLine(line) {
      if ('step' in line) say(line)
      else if ('error' in line) heard.error = fromProblem(line.error)
      else if (line.pod === 'stopped') heard.hasStopped = true
      else {
        heard.isUp = true
        say(readyLine({ configuration, folders, podPid: pod.pid ?? 0 }))
      }
    },
  })
  const stop = (): void => void pod.stop(graceMs)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const reason = await pod.ended
  signal.removeEventListener('abort', stop)
  if (!heard.isUp) signal.throwIfAborted()
  if (heard.error !== null) throw heard.error
  if (!heard.hasStopped && !signal.aborted) {
    const last = pod.lastLine === '' ? '' : `: ${pod.lastLine}`
    throw new LabError('LAB_VCT_POD_ENDED', { reason: `${reason}${last}`, log: logFile })
  }
}

interface Up {
  readonly configuration: PodConfiguration
  readonly folders: Folders
  readonly podPid: number
}

function readyLine({ configuration, folders, podPid }: Up): ReadyLine {
  const { url, mode, lacks } = configuration
  return {
    ready: {
      url,
      socket: folders.serverSocket,
      vctSocket: folders.vctSocket,
      home: folders.home,
      credentialsFile: folders.credentials,
      operatorCredentialsFile: folders.operatorCredentials,
      podPid,
      mode,
      lacks,
    },
  }
}
