import { createHash } from 'node:crypto'
import { mkdtemp, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '@community-lab/contract'

/** An image that was received completely. Disposing removes its file, unless the image is kept. */
export interface ReceivedImage extends AsyncDisposable {
  readonly sha256: string
  readonly sizeBytes: number
  /** Keep the image as `<dir>/<sha256>.tar.gz`. */
  keep(): Promise<void>
}

/** What is known of an image before it is received. */
export interface IncomingImage {
  /** The template's name, for errors. */
  readonly template: string
  /** The SHA-256 that the sender has given; null: none. */
  readonly expectedSha256: string | null
  readonly maxBytes: number
}

/**
 * Write an image to disk beside the others, completely or not at all.
 *
 * @throws {@link LabError} LAB_TEMPLATE_CHECKSUM, LAB_REQUEST_TOO_LARGE, LAB_REQUEST_MEDIA_TYPE when it is not gzip.
 */
export async function receiveImage(
  dir: string,
  body: AsyncIterable<Uint8Array>,
  { template, expectedSha256, maxBytes }: IncomingImage,
): Promise<ReceivedImage> {
  await using stack = new AsyncDisposableStack()
  const temporary = await mkdtemp(join(dir, 'incoming-'))
  stack.defer(() => rm(temporary, { recursive: true, force: true }))
  const path = join(temporary, 'image')
  const { sha256, sizeBytes } = await writeImage(path, body, maxBytes)
  if (expectedSha256 !== null && expectedSha256 !== sha256)
    throw new LabError('LAB_TEMPLATE_CHECKSUM', {
      template,
      expected: expectedSha256.slice(0, 64),
      found: sha256,
    })
  const held = stack.move()
  return {
    sha256,
    sizeBytes,
    keep: () => rename(path, join(dir, `${sha256}.tar.gz`)),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

const expected = 'the root file system as a .tar.gz file'

/** The first two bytes of a gzip file. Source: RFC 1952, 2.3.1. */
const gzipMark = Buffer.from([0x1f, 0x8b])

async function writeImage(
  path: string,
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<{ sha256: string; sizeBytes: number }> {
  await using file = await open(path, 'wx', 0o644)
  const hash = createHash('sha256')
  let sizeBytes = 0
  // The network may cut the body anywhere, also between the two bytes that tell.
  let head = Buffer.alloc(0)
  for await (const chunk of body) {
    if (head.length < gzipMark.length)
      head = Buffer.concat([head, chunk.subarray(0, gzipMark.length - head.length)])
    if (!head.equals(gzipMark.subarray(0, head.length)))
      throw new LabError('LAB_REQUEST_MEDIA_TYPE', { found: 'no gzip file', expected })
    sizeBytes += chunk.length
    if (sizeBytes > maxBytes) throw new LabError('LAB_REQUEST_TOO_LARGE', { limitBytes: maxBytes })
    hash.update(chunk)
    await file.writeFile(chunk)
  }
  if (sizeBytes === 0) throw new LabError('LAB_REQUEST_MEDIA_TYPE', { found: 'empty', expected })
  await file.sync()
  return { sha256: hash.digest('hex'), sizeBytes }
}

/** Remove the files of images that no template uses. A download that is under way can still end. */
export async function removeUnusedImages(dir: string, used: ReadonlySet<string>): Promise<void> {
  for (const file of await readdir(dir)) {
    const sha256 = /^([0-9a-f]{64})\.tar\.gz$/u.exec(file)?.[1]
    if (sha256 !== undefined && !used.has(sha256)) await rm(join(dir, file), { force: true })
  }
}
