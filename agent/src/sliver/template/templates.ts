import { createHash, randomBytes } from 'node:crypto'
import { renameSync } from 'node:fs'
import { chmod, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError, type SliverTarget } from '@community-lab/contract'
import { exists, isErrno } from '../../errno.ts'
import { runCommand } from '../host/command.ts'

/** What a sliver's root is made from. */
export type TemplateTarget = NonNullable<SliverTarget['template']>

/** Options of {@link createTemplates}. */
export interface TemplatesOptions {
  /** Its own folder. */
  readonly dir: string
  /** Read an image; it is checked here. */
  readonly fetchImage: (uri: string, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>
}

/** A template that stays until it is let go. */
export interface HeldTemplate extends Disposable {
  /** Its root file system, with the ids of its archive, never to be changed. */
  readonly root: string
}

/** The templates on this node: each is fetched, checked and unpacked once. */
export interface Templates {
  /**
   * See that a template is here, and keep it here.
   * @throws {@link LabError} LAB_TEMPLATE_NO_IMAGE, LAB_TEMPLATE_CHECKSUM, LAB_CONNECTION_FAILED, LAB_SLIVER_COMMAND_FAILED.
   */
  hold(template: TemplateTarget | null, signal: AbortSignal): Promise<HeldTemplate>
  /** Where the root file system of a template is that is here. */
  root(sha256: string): string
  /** Remove all that nobody holds, but these, by SHA-256. */
  prune(isUsed: (sha256: string) => boolean): Promise<void>
}

/** Keep templates in a folder. What an agent before had half-made there, or half-removed, is removed. */
export async function openTemplates({ dir, fetchImage }: TemplatesOptions): Promise<Templates> {
  const rootOf = (sha256: string): string => join(dir, sha256)
  const partOf = (sha256: string): string =>
    join(dir, `.${sha256.slice(0, 16)}-${randomBytes(4).toString('hex')}`)
  const making = new Map<string, Promise<string>>()
  /** How many hold a template, by SHA-256. */
  const holds = new Map<string, number>()
  for (const name of await list())
    if (name.startsWith('.')) await rm(join(dir, name), { recursive: true, force: true })

  async function list(): Promise<readonly string[]> {
    return readdir(dir).catch((error: unknown) => {
      // None was ever fetched.
      if (isErrno(error, 'ENOENT')) return []
      throw error
    })
  }

  async function ensure(template: TemplateTarget, image: Image, signal: AbortSignal) {
    const present = making.get(image.sha256)
    if (present !== undefined) return present
    const made = make(template, image, signal).finally(() => making.delete(image.sha256))
    making.set(image.sha256, made)
    return made
  }

  function letGo(sha256: string): void {
    const left = (holds.get(sha256) ?? 0) - 1
    if (left > 0) holds.set(sha256, left)
    else holds.delete(sha256)
  }

  async function make(template: TemplateTarget, image: Image, signal: AbortSignal) {
    const { uri, sha256 } = image
    const root = rootOf(sha256)
    if (await exists(root)) return root
    // Others than the agent must not reach it: its setuid files are root's here.
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const made = partOf(sha256)
    const archive = `${made}.tar.gz`
    try {
      const found = await download(await fetchImage(uri, signal), archive)
      if (found !== sha256) {
        const details = { template: template.name, expected: sha256, found }
        throw new LabError('LAB_TEMPLATE_CHECKSUM', details)
      }
      await mkdir(made)
      await chmod(made, 0o755)
      await unpack(archive, made, signal)
      await rename(made, root)
      return root
    } finally {
      await rm(archive, { force: true })
      await rm(made, { recursive: true, force: true })
    }
  }

  return {
    root: rootOf,
    async hold(template, signal) {
      const image = imageOf(template)
      if (template === null || image === null)
        throw new LabError('LAB_TEMPLATE_NO_IMAGE', { template: template?.name ?? 'of this slice' })
      const { sha256 } = image
      holds.set(sha256, (holds.get(sha256) ?? 0) + 1)
      try {
        const root = await ensure(template, image, signal)
        return { root, [Symbol.dispose]: () => letGo(sha256) }
      } catch (error) {
        letGo(sha256)
        throw error
      }
    },
    async prune(isUsed) {
      for (const name of await list()) {
        if (!/^[0-9a-f]{64}$/u.test(name) || holds.has(name) || isUsed(name)) continue
        // At once: whoever wants to hold it a moment later finds it gone, and fetches it.
        const removed = partOf(name)
        renameSync(join(dir, name), removed)
        await rm(removed, { recursive: true, force: true })
      }
    },
  }
}

interface Image {
  readonly uri: string
  readonly sha256: string
}

function imageOf(template: TemplateTarget | null): Image | null {
  const { image_uri: uri = null, image_sha256: sha256 = null } = template ?? {}
  if (uri === null || sha256 === null || !/^[0-9a-f]{64}$/u.test(sha256)) return null
  return { uri, sha256 }
}

/** Write an image to a file; returns its SHA-256. */
async function download(image: AsyncIterable<Uint8Array>, file: string): Promise<string> {
  const hash = createHash('sha256')
  const handle = await open(file, 'wx', 0o600)
  try {
    for await (const chunk of image) {
      hash.update(chunk)
      await handle.writeFile(chunk)
    }
  } finally {
    await handle.close()
  }
  return hash.digest('hex')
}

/** Unpack an archive with the ids in it; devices are the runtime's to make. All of it is on the disk when this returns. */
async function unpack(archive: string, to: string, signal: AbortSignal): Promise<void> {
  const owners = ['--numeric-owner', '--same-owner', '--same-permissions']
  const devices = ['--exclude=./dev/*', '--exclude=dev/*']
  const argv = ['tar', '--extract', '--gzip', ...owners, ...devices, '--file', archive, '-C', to]
  await runCommand(argv, { signal })
  await runCommand(['sync', '--file-system', to], { signal })
}
