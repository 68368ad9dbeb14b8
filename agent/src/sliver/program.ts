import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError, type RunProgram } from '@community-lab/contract'
import { containerName } from './container.ts'
import { processConfiguration } from './domain/container.ts'
import { findCoreLimit } from './host/core-dumps.ts'
import { isAlive } from './host/process.ts'
import { endingFile, requirePlatform, type SliverParts } from './lifecycle/parts.ts'
import type { SliverRecord } from './store/record.ts'

/** A program that is to be started in a sliver. */
export interface SliverProgram {
  readonly runId: string
  /** The folder of the run on the host. */
  readonly folder: string
  /** The instance of the sliver that the program is for. */
  readonly instance: Pick<SliverRecord, 'sliceInstanceSn' | 'instanceSn'>
  readonly program: RunProgram
}

/** How a program is started in a sliver. */
export interface ProgramStart {
  /** Starts the program, writes its pid into the file `pid` of the run's folder, and leaves it to the caller's subreaper. It waits for a line on its standard input. */
  readonly command: readonly string[]
  /** The run's cgroup; null: there are none. */
  readonly cgroup: string | null
  /** The files into which the pid of a process is written to enter it into the cgroups of the sliver and of the run. */
  readonly procs: readonly string[]
  /** The pid of the sliver's first process. */
  readonly firstPid: number
  /** A file that exists while the agent ends the sliver. */
  readonly endingFile: string
}

/** Make the cgroup of a run and the description of its program. @throws {@link LabError} LAB_SLIVER_STAGE when this instance of the sliver does not run, LAB_SLIVER_NO_RUNTIME. */
export async function prepareProgram(
  parts: SliverParts,
  id: string,
  { runId, folder, instance, program }: SliverProgram,
): Promise<ProgramStart> {
  const found = parts.records.get(id)
  const record = found !== undefined && isOf(found, instance) ? found : undefined
  const first = record?.stage === 'started' ? record.process : null
  if (record === undefined || first === null || !isAlive(first))
    throw new LabError('LAB_SLIVER_STAGE', {
      sliver: id,
      stage: record?.stage ?? 'registered',
      needs: 'started',
    })
  const { runtime, cgroups } = requirePlatform(parts, id)
  const name = containerName(record)
  const group = (await cgroups?.createRun(name, runId)) ?? { folder: null, procs: [] }
  const process = join(folder, 'process.json')
  const configuration = processConfiguration({
    args: programArgs(runId, program),
    env: Object.entries({
      ...program.env,
      COMMUNITY_LAB_RUN: runId,
      COMMUNITY_LAB_SLIVER: id,
    }).map(([variable, value]) => `${variable}=${value}`),
    coreLimit: await findCoreLimit(),
  })
  await writeFile(process, JSON.stringify(configuration), { mode: 0o600 })
  const files = { process, pid: join(folder, 'pid'), log: join(folder, 'runtime.log') }
  return {
    command: runtime.execCommand(name, files),
    cgroup: group.folder,
    procs: group.procs,
    firstPid: first.pid,
    endingFile: endingFile(parts.records.folder(id)),
  }
}

function isOf(
  { sliceInstanceSn, instanceSn }: SliverRecord,
  instance: SliverProgram['instance'],
): boolean {
  return sliceInstanceSn === instance.sliceInstanceSn && instanceSn === instance.instanceSn
}

/** The name of a script in the folder of its run in the sliver. */
const scriptName = '.community-lab-script'

/**
 * Return the arguments of the program that waits for a line, and then becomes the run's. Its current folder is the run's in the sliver, where a script is written, too.
 */
function programArgs(
  runId: string,
  { script, argv = [], args = [] }: RunProgram,
): readonly string[] {
  const enter = 'read -r _ && mkdir -p "$0" && cd "$0"'
  const folder = `/tmp/community-lab/${runId}`
  if (script === undefined)
    return ['/bin/sh', '-c', `${enter} && exec "$@" </dev/null`, folder, ...argv]
  const text = script.startsWith('#!') ? script : `#!/bin/sh\n${script}\n`
  const write = `printf %s "$1" > ${scriptName} && chmod 755 ${scriptName} && shift`
  const shell = `${enter} && ${write} && exec ./${scriptName} "$@" </dev/null`
  return ['/bin/sh', '-c', shell, folder, text, ...args]
}
