/**
 * Kill this process right before its Nth step. The file is loaded with `node --import`. `KILL_AT` is N. A step is a call of `node:fs` that changes something on
 * the disk or writes into a FIFO.
 */
import fs, { constants, promises, type RmOptions } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'

let left = Number(process.env['KILL_AT'] ?? 'Infinity')

function step(): void {
  if (--left === 0) process.kill(process.pid, 'SIGKILL')
}

/** Count each call of these methods as a step. */
function count(object: object, names: readonly string[]): void {
  for (const name of names) {
    const original: unknown = Reflect.get(object, name)
    if (typeof original !== 'function') throw new Error(`there is no method ${name}`)
    Reflect.set(object, name, function counted(this: unknown, ...args: readonly unknown[]) {
      if (!name.startsWith('open') || !isForReading(args[1])) step()
      return Reflect.apply(original, this, args) as unknown
    })
  }
}

function isForReading(flags: unknown): boolean {
  return flags === undefined || flags === 'r' || flags === constants.O_RDONLY
}

const { rm, readdir } = promises
/** Remove a folder file by file. Each removal is a step. */
promises.rm = async (path, options?: RmOptions) => {
  const entries =
    options?.recursive === true
      ? await readdir(String(path), { withFileTypes: true }).catch(() => [])
      : []
  for (const entry of entries) await promises.rm(join(String(path), entry.name), options)
  step()
  await rm(path, options)
}
const changes = ['chmod', 'chown', 'link', 'mkdir', 'open', 'rename', 'writeFile']
const file = await promises.open('/dev/null')
count(Object.getPrototypeOf(file) as object, ['chmod', 'sync', 'write', 'writeFile'])
await file.close()
count(promises, changes)
const further = ['fdatasync', 'fsync', 'ftruncate', 'rm', 'write']
count(fs, ['fdatasync', ...[...changes, ...further].map((name) => `${name}Sync`)])
syncBuiltinESMExports()
