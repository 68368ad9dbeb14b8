import { readFileSync, writeFileSync, renameSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { wake } from '../measurement/catcher/list-files.ts'

/**
 * Tell the catcher of a folder how to compute the steady clock: `boot base rate`, so that the time is the kernel's monotonic clock times `rate`, plus `base` microseconds. Another
 * boot's file says nothing. Returns false when it cannot be written, as on a full disk: then the catcher goes on with what it knows.
 */
export function writeSteadyFile(
  dir: string,
  { boot, baseUs, rate }: { readonly boot: string; readonly baseUs: number; readonly rate: number },
): boolean {
  const path = join(dir, 'steady')
  const text = `${boot} ${baseUs.toFixed(0)} ${rate}\n`
  try {
    if (readText(path) === text) return true
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
    wake(join(dir, 'wake'))
    return true
  } catch {
    return false
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // It was never written.
    return null
  }
}
