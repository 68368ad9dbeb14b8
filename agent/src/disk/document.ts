import { readdir, readFile, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Static, TObject } from 'typebox'
import { isAbsent } from '../errno.ts'
import { parseDocument, formatDocument, type Format } from './domain/format.ts'
import { syncFolder, writeWhole } from '@community-lab/contract/host'
import { messageOf } from '@community-lab/contract'

/** The result of reading a document. */
export type ReadDocument<T> =
  { readonly kind: 'absent' } | { readonly kind: 'read'; readonly value: T } | Unreadable

/** An existing document that cannot be used. It is kept. */
export interface Unreadable {
  readonly kind: 'unreadable'
  readonly reason: string
  /** The path of the file now. */
  readonly keptAt: string
}

/**
 * Read a document. A document that cannot be used is set aside: it is renamed to `<file>.unreadable-<time>`, and never deleted. A document that was set aside
 * earlier, perhaps by an older agent, is restored when this agent can use it and there is no other in its place.
 */
export async function readDocument<S extends TObject>(
  file: string,
  format: Format<S>,
): Promise<ReadDocument<Static<S>>> {
  const found = await peekDocument(file, format)
  if (found.kind === 'absent') return restoreDocument(file, format)
  if (found.kind === 'read' || !found.isDamaged) return found
  const keptAt = `${file}.unreadable-${new Date().toISOString().replaceAll(':', '')}`
  await rename(file, keptAt)
  await syncFolder(dirname(file))
  return { ...found, keptAt }
}

/** Read a document without moving it. */
export async function peekDocument<S extends TObject>(
  file: string,
  format: Format<S>,
): Promise<
  Exclude<ReadDocument<Static<S>>, Unreadable> | (Unreadable & { readonly isDamaged: boolean })
> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (isAbsent(error)) return { kind: 'absent' }
    // The disk or its permissions are at fault, not the document, so a later read may succeed.
    const reason = messageOf(error)
    return { kind: 'unreadable', reason, keptAt: file, isDamaged: false }
  }
  const parsed = parseDocument(format, text)
  return parsed.kind === 'read' ? parsed : { ...parsed, keptAt: file, isDamaged: true }
}

/** Write a document completely or not at all. When this returns, it survives a power cut. */
export async function writeDocument<S extends TObject>(
  file: string,
  format: Format<S>,
  value: Static<S>,
): Promise<void> {
  await writeWhole(file, formatDocument(format, value))
}

/** Tell whether a file's name is that of a document that was set aside. */
function isSetAside(name: string): boolean {
  return /\.unreadable-[0-9TZ.-]+$/u.test(name)
}

/** Restore the newest document that was set aside, if it is usable now. */
async function restoreDocument<S extends TObject>(
  file: string,
  format: Format<S>,
): Promise<ReadDocument<Static<S>>> {
  const asides = await readdir(dirname(file)).catch((error: unknown) => {
    if (isAbsent(error)) return []
    throw error
  })
  const [newest] = asides
    .filter((name) => name.startsWith(`${basename(file)}.`) && isSetAside(name))
    .sort()
    .reverse()
  if (newest === undefined) return { kind: 'absent' }
  const keptAt = join(dirname(file), newest)
  const found = await peekDocument(keptAt, format)
  if (found.kind !== 'read') return found
  await rename(keptAt, file)
  await syncFolder(dirname(file))
  return found
}
