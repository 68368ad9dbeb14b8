import type { Readable } from 'node:stream'
import type { UploadedFile, UploadRequest, Uploads } from './uploads.ts'

/** What one request sends, and what it becomes. */
export interface WholeUpload<T> {
  readonly body: Readable
  /** Use what was uploaded. What it refuses is removed. */
  readonly use: (uploaded: UploadedFile) => Promise<T>
}

/**
 * Receive what one request sends, as a whole or not at all.
 *
 * @throws {@link LabError} the errors of {@link Uploads}, and what `use` throws.
 */
export async function uploadWhole<T>(
  uploads: Uploads,
  request: Omit<UploadRequest, 'isResumable'>,
  { body, use }: WholeUpload<T>,
): Promise<T> {
  const { id } = await uploads.begin({ ...request, isResumable: false })
  try {
    await uploads.append(id, 0, body)
    return await uploads.finish(id, use)
  } finally {
    await uploads.cancel(id)
  }
}
