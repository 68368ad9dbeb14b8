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
  /** Whether it has files, which come as a tar file from file descriptor 3. */
  readonly hasFiles: boolean
  /** Variables besides those that it asks for. */
  readonly env: Readonly<Record<string, string>>
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
  { runId, folder, instance, program, hasFiles, env }: SliverProgram,
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
    args: programArgs(runId, program, hasFiles),
    env: Object.entries({
      ...program.env,
      ...env,
      COMMUNITY_LAB_RUN: runId,
      COMMUNITY_LAB_SLIVER: id,
    }).map(([variable, value]) => `${variable}=${value}`),
    coreLimit: await findCoreLimit(),
  })
  await writeFile(process, JSON.stringify(configuration), { mode: 0o600 })
  const pid = join(folder, 'pid')
  const files = { process, pid, log: join(folder, 'runtime.log'), keepsDescriptor: hasFiles }
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

/** The exit code of a program that cannot begin. What it has written by then says why. The supervisor knows it, too. */
const cannotBegin = 120

/**
 * Return the arguments of the program that waits for two lines, and then becomes the run's. Its current folder is the run's in the sliver, where its files and its script are
 * written before. What would keep it from being executed is found before, too.
 */
function programArgs(
  runId: string,
  { script, argv = [], args = [] }: RunProgram,
  hasFiles: boolean,
): readonly string[] {
  const fail = `exit ${cannotBegin}`
  const enter = `mkdir -p "$0" && cd "$0" || ${fail}`
  const unpack = hasFiles ? [`tar -xf - <&3 || ${fail}`, 'exec 3<&-'] : []
  const folder = `/tmp/community-lab/${runId}`
  const begin = (lines: readonly string[], last: string): string =>
    // The first line asks whether it is ready to begin, the second begins it.
    [enter, ...unpack, ...lines, 'read -r _ && read -r _ || exit 1', last].join('\n')
  if (script === undefined) {
    const check = `command -v -- "$1" > /dev/null || { echo "the sliver has no program $1" >&2; ${fail}; }`
    return ['/bin/sh', '-c', begin([check], 'exec "$@" < /dev/null'), folder, ...argv]
  }
  const text = script.startsWith('#!') ? script : `#!/bin/sh\n${script}\n`
  const interpreter = /^#![ \t]*(\S*)/u.exec(text)?.[1] ?? ''
  const absent = `the script's first line names $1, which the sliver does not have`
  const lines = [
    `[ -x "$1" ] || { echo "${absent}" >&2; ${fail}; }`,
    `printf %s "$2" > ${scriptName} && chmod 755 ${scriptName} || ${fail}`,
    'shift 2',
  ]
  const shell = begin(lines, `exec ./${scriptName} "$@" < /dev/null`)
  return ['/bin/sh', '-c', shell, folder, interpreter, text, ...args]
}
