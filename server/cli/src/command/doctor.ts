import { execFile } from 'node:child_process'
import { constants, existsSync, readFileSync } from 'node:fs'
import { access, mkdtemp, rmdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { messageOf } from '@community-lab/contract'
import type { Context } from '../context.ts'
import { printJson, tint, type PrintOptions } from '../output/print.ts'
import { leaf } from './option.ts'

/** The result of one check. The testbed cannot run when something `needed` is not `fine`. */
export interface Finding {
  readonly what: string
  readonly fine: boolean
  readonly needed: boolean
  /** What was found, or what to do. */
  readonly detail: string
}

const DebianPackage = Type.Object({
  name: Type.String(),
  for: Type.Enum(['run', 'test'] as const),
  programs: Type.Array(Type.String()),
  why: Type.String(),
})

/** `community-lab doctor`: what this machine supports, and what it lacks. */
export function addDoctor(program: Command, context: Context, outcome: { exitCode: number }): void {
  leaf(program, 'doctor', 'what this machine can do, and what it lacks').action(
    async (options: PrintOptions) => {
      const findings = await examine(context)
      if (options.json === true) printJson(context, findings)
      else for (const each of findings) context.out.write(`${describe(context, each)}\n`)
      if (findings.some(({ fine, needed }) => needed && !fine)) outcome.exitCode = 1
    },
  )
}

/** Examine this machine and this checkout. */
async function examine(context: Context): Promise<readonly Finding[]> {
  return [
    nodeFinding(),
    ...madeBySetUp.map(([path, what]) => fileFinding(context, path, what)),
    ...programFindings(context),
    await tunFinding(),
    ...(await namespaceFindings()),
    await cgroupFinding(),
  ]
}

const madeBySetUp = [
  ['server/dist/main.bundle.js', 'the server, built'],
  ['agent/dist/main.bundle.js', 'the agent, built'],
  ['kernel/dist/jupyter/main.js', 'the kernel, built'],
  ['server/vct/dist/main.bundle.js', 'the virtual testbed, built'],
  ['.venv/bin/jupyter-lab', 'JupyterLab'],
  ['.venv/share/jupyter/kernels/communitylab/kernel.json', 'the kernel, known to Jupyter'],
] as const

function nodeFinding(): Finding {
  const [major = 0] = process.versions.node.split('.').map(Number)
  const fine = major >= 22
  return { what: 'Node.js', fine, needed: true, detail: `${process.version} runs this` }
}

function fileFinding({ checkout }: Context, path: string, what: string): Finding {
  const fine = existsSync(join(checkout, path))
  return { what, fine, needed: true, detail: fine ? path : 'run `npm run setup`' }
}

function programFindings({ checkout, env }: Context): readonly Finding[] {
  const file = join(checkout, 'server/cli/setup/debian-packages.json')
  const packages: unknown = JSON.parse(readFileSync(file, 'utf8'))
  if (!Value.Check(Type.Array(DebianPackage), packages)) return []
  const folders = [...(env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return packages
    .filter((each) => each.programs.length > 0)
    .map((each) => {
      const missing = each.programs.filter(
        (program) => !folders.some((folder) => existsSync(join(folder, program))),
      )
      const fine = missing.length === 0
      const detail = fine ? each.programs.join(', ') : `sudo apt-get install ${each.name}`
      return { what: each.why, fine, needed: each.for === 'run', detail }
    })
}

async function tunFinding(): Promise<Finding> {
  const what = '/dev/net/tun'
  try {
    await access(what, constants.R_OK | constants.W_OK)
    return { what, fine: true, needed: false, detail: 'can be opened' }
  } catch {
    // Without it tinc uses a raw socket.
    const detail = 'cannot be opened: `modprobe tun`, or run without it, a little slower'
    return { what, fine: false, needed: false, detail }
  }
}

async function namespaceFindings(): Promise<readonly Finding[]> {
  const root = process.getuid?.() === 0
  const kinds = ['--mount', '--pid', '--fork', '--net', '--uts', '--ipc']
  const args = root ? kinds : ['--user', '--map-root-user', ...kinds]
  const run = promisify(execFile)
  const what = root ? 'namespaces' : 'namespaces of an ordinary user'
  try {
    await run('unshare', [...args, 'true'])
    return [{ what, fine: true, needed: true, detail: 'can be made' }]
  } catch (error) {
    const [line = ''] = messageOf(error).split('\n').slice(-2)
    const detail = `cannot be made (${line.trim()}): run as root, or sysctl kernel.unprivileged_userns_clone=1`
    return [{ what, fine: false, needed: true, detail }]
  }
}

/**
 * Find out whether cgroups can be created where the agent creates them: in version 2, or otherwise in three hierarchies of version 1. Creates one to find out.
 */
export async function cgroupFinding(root = '/sys/fs/cgroup'): Promise<Finding> {
  const version = existsSync(join(root, 'cgroup.controllers')) ? 2 : 1
  const parents = version === 2 ? [root] : ['memory', 'pids', 'cpu'].map((name) => join(root, name))
  const found = { what: 'control groups', needed: false }
  try {
    for (const parent of parents) await rmdir(await mkdtemp(join(parent, 'community-lab-doctor-')))
    return { ...found, fine: true, detail: `version ${version}` }
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const detail = `none can be made in version ${version} (${reason}): limits of slivers hold for each process alone; run as root, or have ${root} delegated`
    return { ...found, fine: false, detail }
  }
}

function describe({ out }: Context, { what, fine, needed, detail }: Finding): string {
  const mark = fine
    ? tint(out, 'green', 'ok     ')
    : tint(out, needed ? 'red' : 'yellow', 'missing')
  return `${mark}  ${what}: ${detail}`
}
