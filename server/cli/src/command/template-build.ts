import { mkdtemp, rm, stat } from 'node:fs/promises'
import { machine, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { archOf, LabError } from '@community-lab/contract'
import { hashFile } from '@community-lab/contract/host'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { printJson, type PrintOptions } from '../output/print.ts'
import { ProgressLine } from '../output/progress-line.ts'
import { buildBy, buildTiny, type BuildOptions } from '../template/build.ts'
import { debianCommand } from '../template/debian.ts'
import { findProgram } from '../process/find-program.ts'
import { leaf } from './option.ts'
import { addImage } from './template-image.ts'

interface BuildCommandOptions extends PrintOptions {
  readonly output?: string
  readonly upload?: string
  readonly group?: string
  readonly description?: string
}

interface DebianCommandOptions extends BuildCommandOptions {
  readonly suite: string
  readonly package: readonly string[]
  readonly mirror?: string
  readonly snapshot?: string
}

/** `community-lab template build …` */
export function addTemplateBuild(template: Command, context: Context): void {
  const build = template.command('build').description('build root file systems for slivers')
  withTarget(
    leaf(
      build,
      'tiny',
      'busybox, dropbear, perl and tools that measure, of this machine, without root',
    ),
  ).action((options: BuildCommandOptions) =>
    makeImage(context, 'tiny', {
      ...options,
      words: "busybox, dropbear, perl, ping, fping, iperf3 and traceroute of Debian's packages",
      make: (how) => buildTiny(context.checkout, how),
    }),
  )
  withTarget(leaf(build, 'debian', 'a small Debian, by mmdebstrap from a mirror'))
    .option('--suite <name>', 'the release', 'bookworm')
    .option('--package <name>', 'one more package (repeatable)', collect, [])
    .option('--mirror <url>', 'where packages come from (default: deb.debian.org)')
    .option(
      '--snapshot <time>',
      'packages as they were then, such as 20260101T000000Z, from snapshot.debian.org: later builds give the same image',
    )
    .action((options: DebianCommandOptions) => {
      const { suite, package: packages, mirror = null, snapshot = null } = options
      requireMmdebstrap(context)
      const arch = archOf(process.arch, machine())
      const command = debianCommand({ suite, packages, arch, mirror, snapshot })
      return makeImage(context, 'debian', {
        ...options,
        words: `Debian ${suite}${snapshot === null ? '' : ` of ${snapshot}`}`,
        make: (how) => buildBy('debian', command, how),
      })
    })
}

function withTarget(command: Command): Command {
  return command
    .option('--output <file>', 'where the image is written (default: here, unless it is uploaded)')
    .option('--upload <name>', 'upload it as a new version of this template')
    .option('--group <group>', 'the group of a new template (default: yours)')
    .option('--description <text>', 'what is in a new template')
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text]
}

interface ImageOptions extends BuildCommandOptions {
  /** The description of a new template. */
  readonly words: string
  readonly make: (how: BuildOptions) => Promise<void>
}

async function makeImage(context: Context, kind: string, options: ImageOptions): Promise<void> {
  const { output, upload, group, description, words, json, make } = options
  await using stack = new AsyncDisposableStack()
  const image =
    output === undefined && upload !== undefined
      ? join(await temporaryFolder(stack), `${kind}.tar.gz`)
      : resolve(context.cwd, output ?? `${kind}.tar.gz`)
  const line = new ProgressLine(context.err)
  const { env, signal } = context
  try {
    await make({
      image,
      env: { ...env },
      signal,
      onLine: (text) => line.show(`building ${kind}: ${text}`),
    })
  } finally {
    line.clear()
  }
  if (upload === undefined) {
    const { size } = await stat(image)
    const sha256 = await hashFile(image)
    if (json === true) printJson(context, { image, image_sha256: sha256, image_size_bytes: size })
    else context.out.write(`${image}: ${size} bytes, SHA-256 ${sha256}\n`)
    return
  }
  await addImage(context, {
    name: upload,
    image,
    arch: [archOf(process.arch, machine())],
    description: description ?? words,
    ...(group === undefined ? {} : { group }),
    ...(json === undefined ? {} : { json }),
  })
}

async function temporaryFolder(stack: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'community-lab-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** @throws {@link LabError} LAB_CLI_TEMPLATE_BUILD. */
function requireMmdebstrap({ env }: Context): void {
  if (findProgram('mmdebstrap', env) !== null) return
  throw new LabError('LAB_CLI_TEMPLATE_BUILD', {
    template: 'debian',
    reason: 'mmdebstrap is not installed; as root: apt-get install mmdebstrap',
  })
}
