import { open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Write a file, mode 0600, so that it is there whole or not at all, also after a power cut. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${String(process.pid)}.tmp`)
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  const folder = await open(dirname(path))
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
