import { createHash, randomBytes } from 'node:crypto'
import { renameSync } from 'node:fs'
import { chmod, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError, type SliverTarget } from '@community-lab/contract'
import { exists, isErrno } from '../../errno.ts'
import { runCommand } from '../host/command.ts'
import { guardSpace } from './space.ts'
import { unpack } from './unpack.ts'

/** A template as the target state describes it. */
export type TemplateTarget = NonNullable<SliverTarget['template']>

/** The most of an image with its archive. Debian's full desktop has fewer files, and half as many bytes. A bomb would fill the disk, and wear the device's storage out. */
const mostOfImage = { files: 500_000, mib: 8192 }

/** Options of {@link createTemplates}. */
export interface TemplatesOptions {
  /** The folder of the templates, for them alone. */
  readonly dir: string
  /** Download an image. Its checksum is checked here. */
  readonly fetchImage: (uri: string, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>
}

/** Options of {@link Templates.hold}. */
export interface HoldOptions {
  /** The disk space that fetching and unpacking must leave free because it is promised to others, in MiB. */
  readonly keptMiB: () => number
  readonly signal: AbortSignal
}

/** A template that is not removed before it is disposed of. */
export interface HeldTemplate extends Disposable {
  /** Its root file system, with the user and group ids of the archive. It must not be changed. */
  readonly root: string
}

/** The templates on this node. Each is fetched, checked and unpacked once. */
export interface Templates {
  /**
   * Fetch a template if it is not here, and keep it until the result is disposed of.
   * @throws {@link LabError} LAB_TEMPLATE_NO_IMAGE, LAB_TEMPLATE_CHECKSUM, LAB_TEMPLATE_NO_ROOM, LAB_TEMPLATE_BROKEN, LAB_CONNECTION_FAILED.
   */
  hold(template: TemplateTarget | null, options: HoldOptions): Promise<HeldTemplate>
  /** Tell whether a template is here. */
  has(template: TemplateTarget | null): Promise<boolean>
  /** Return the path of the root file system of a template that is here. */
  root(sha256: string): string
  /** The disk space of the templates in use, in MiB. */
  measureMiB(isUsed: (sha256: string) => boolean): Promise<number>
  /** Remove the templates that are neither held nor used. `isUsed` gets the SHA-256 of each. */
  prune(isUsed: (sha256: string) => boolean): Promise<void>
}

/** Keep templates in a folder. Unfinished work of an earlier agent in it is removed. */
export async function openTemplates({ dir, fetchImage }: TemplatesOptions): Promise<Templates> {
  const rootOf = (sha256: string): string => join(dir, sha256)
  const partOf = (sha256: string): string =>
    join(dir, `.${sha256.slice(0, 16)}-${randomBytes(4).toString('hex')}`)
  const making = new Map<string, Making>()
  /** The number of holders of a template, by SHA-256. */
  const holds = new Map<string, number>()
  const sizesMiB = new Map<string, number>()
  for (const name of await list())
    if (name.startsWith('.')) await rm(join(dir, name), { recursive: true, force: true })

  async function list(): Promise<readonly string[]> {
    return readdir(dir).catch((error: unknown) => {
      // No template was ever fetched.
      if (isErrno(error, 'ENOENT')) return []
      throw error
    })
  }

  /**
   * Make a template once for all that wait for it. It is given up only when nobody waits for it any more, so a sliver that ends does not stop it for the
   * others.
   */
  async function ensure(
    template: TemplateTarget,
    image: Image,
    { keptMiB, signal }: HoldOptions,
  ): Promise<string> {
    signal.throwIfAborted()
    let shared = making.get(image.sha256)
    if (shared === undefined || shared.abort.signal.aborted) {
      // A template that was given up is removed before it is made again.
      await shared?.made.catch(() => undefined)
      signal.throwIfAborted()
      shared = making.get(image.sha256) ?? begin(template, image, keptMiB)
    }
    shared.waiting += 1
    const left = Promise.withResolvers<never>()
    const leave = (): void => left.reject(signal.reason as Error)
    signal.addEventListener('abort', leave, { once: true })
    try {
      return await Promise.race([shared.made, left.promise])
    } finally {
      signal.removeEventListener('abort', leave)
      shared.waiting -= 1
      if (shared.waiting === 0) shared.abort.abort()
    }
  }

  function begin(template: TemplateTarget, image: Image, keptMiB: () => number): Making {
    const abort = new AbortController()
    const made = make(template, image, { keptMiB, signal: abort.signal }).finally(() =>
      making.delete(image.sha256),
    )
    // Those who wait for the template get the error. When nobody waits any more, the error must not become an unhandled rejection.
    made.catch(() => undefined)
    const shared = { made, abort, waiting: 0 }
    making.set(image.sha256, shared)
    return shared
  }

  function letGo(sha256: string): void {
    const left = (holds.get(sha256) ?? 0) - 1
    if (left > 0) holds.set(sha256, left)
    else holds.delete(sha256)
  }

  async function make(template: TemplateTarget, image: Image, options: HoldOptions) {
    const { uri, sha256 } = image
    const root = rootOf(sha256)
    if (await exists(root)) return root
    // Only the agent may enter the folder, because setuid files in it belong to the host's root.
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const made = partOf(sha256)
    const archive = `${made}.tar.gz`
    try {
      const { name } = template
      const tooFull = (keptMiB: number, isOutOfFiles: boolean): LabError =>
        new LabError('LAB_TEMPLATE_NO_ROOM', { template: name, keptMiB, isOutOfFiles })
      const exceeded = (most: string): LabError =>
        new LabError('LAB_TEMPLATE_BROKEN', { template: name, reason: `it has over ${most}` })
      const bounds = { most: mostOfImage, exceeded }
      using space = await guardSpace(dir, { tooFull, bounds, ...options })
      const { signal } = space
      const found = await download(await fetchImage(uri, signal), archive, signal)
      if (found !== sha256) {
        const details = { template: template.name, expected: sha256, found }
        throw new LabError('LAB_TEMPLATE_CHECKSUM', details)
      }
      await mkdir(made)
      await chmod(made, 0o755)
      await unpack(archive, made, { template: template.name, signal })
      await rename(made, root)
      await measure(sha256)
      return root
    } finally {
      await rm(archive, { force: true })
      await rm(made, { recursive: true, force: true })
    }
  }

  /** Return the disk space of a template, in MiB. It is measured once, because templates never change. */
  async function measure(sha256: string): Promise<number> {
    const known = sizesMiB.get(sha256)
    if (known !== undefined) return known
    const said = await runCommand(['du', '--summarize', '--block-size=1M', '--', rootOf(sha256)])
    const sizeMiB = Number.parseInt(said, 10)
    sizesMiB.set(sha256, sizeMiB)
    return sizeMiB
  }

  return {
    root: rootOf,
    async measureMiB(isUsed) {
      const used = (await list()).filter((name) => isWhole(name) && isUsed(name))
      return (await Promise.all(used.map(measure))).reduce((sum, sizeMiB) => sum + sizeMiB, 0)
    },
    async has(template) {
      const image = imageOf(template)
      return image !== null && (await exists(rootOf(image.sha256)))
    },
    async hold(template, options) {
      const image = imageOf(template)
      if (template === null || image === null)
        throw new LabError('LAB_TEMPLATE_NO_IMAGE', { template: template?.name ?? 'of this slice' })
      const { sha256 } = image
      holds.set(sha256, (holds.get(sha256) ?? 0) + 1)
      try {
        const root = await ensure(template, image, options)
        return { root, [Symbol.dispose]: () => letGo(sha256) }
      } catch (error) {
        letGo(sha256)
        throw error
      }
    },
    async prune(isUsed) {
      for (const name of await list()) {
        if (!isWhole(name) || holds.has(name) || isUsed(name)) continue
        // It is renamed synchronously, so that a sliver that needs it a moment later does not find it, and fetches it.
        const removed = partOf(name)
        renameSync(join(dir, name), removed)
        sizesMiB.delete(name)
        await rm(removed, { recursive: true, force: true })
      }
    },
  }
}

/** Tell whether a name in the folder is that of a completely unpacked template. */
function isWhole(name: string): boolean {
  return /^[0-9a-f]{64}$/u.test(name)
}

/** A template that is being made. */
interface Making {
  readonly made: Promise<string>
  readonly abort: AbortController
  /** The number of slivers that wait for it. */
  waiting: number
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
async function download(
  image: AsyncIterable<Uint8Array>,
  file: string,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256')
  const handle = await open(file, 'wx', 0o600)
  try {
    for await (const chunk of image) {
      signal.throwIfAborted()
      hash.update(chunk)
      await handle.writeFile(chunk)
    }
  } finally {
    await handle.close()
  }
  return hash.digest('hex')
}
