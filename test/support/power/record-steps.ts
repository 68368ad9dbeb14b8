/**
 * Record every change of files that this process makes through `node:fs`, for `disk.ts`. The file is loaded with `node --import`. `POWER_LOG` is the path of the
 * record, to which steps are appended as lines of JSON ({@link Step}); a program may append events of its own. Files outside of the folder `POWER_ROOT` are left out.
 */
import fs, { promises, type RmOptions } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import type { Step } from './step.ts'

type Call = (...args: readonly unknown[]) => unknown

const { closeSync: closeFile, openSync: openFile, readSync: readFile } = fs
const { writeSync, statSync, readdirSync, existsSync } = fs
const { POWER_LOG: log = '', POWER_ROOT: root = '' } = process.env
if (log === '' || root === '') throw new Error('POWER_LOG and POWER_ROOT are not set')
const record = fs.openSync(log, 'a')
/** The open files below the root. */
const files = new Set<number>()
/** The files whose changes were noted. */
const known = new Set<string>()
let syncs = 0

function note(step: Step): void {
  if ('fd' in step && !files.has(step.fd)) return
  writeSync(record, `${JSON.stringify(step)}\n`)
}

/** Read a file, without a step. */
const readWhole = (path: string): Buffer => {
  const bytes = Buffer.alloc(statSync(path).size)
  const fd = openFile(path, 'r')
  readFile(fd, bytes)
  closeFile(fd)
  return bytes
}

/** Replace a method by one that is given the original. */
function replace(object: object, name: string, make: (original: Call) => Call): void {
  const original: unknown = Reflect.get(object, name)
  if (typeof original !== 'function') throw new Error(`there is no method ${name}`)
  Reflect.set(object, name, function replaced(this: unknown, ...args: readonly unknown[]) {
    return make((...given) => Reflect.apply(original, this, given) as unknown).apply(this, [
      ...args,
    ])
  })
}

const { pid } = process
const pathOf = (path: unknown): string => resolve(String(path))
const wants = (flags: unknown, letter: string, bit: number): boolean =>
  typeof flags === 'number'
    ? (flags & bit) !== 0
    : typeof flags === 'string' && flags.includes(letter)

function noteOpen(fd: number, path: unknown, flags: unknown): void {
  const truncates = wants(flags, 'w', fs.constants.O_TRUNC)
  const creates = truncates || wants(flags, 'a', fs.constants.O_CREAT)
  // What is written into a FIFO is not on the disk.
  if (!pathOf(path).startsWith(`${root}/`) && pathOf(path) !== root) return
  if (statSync(String(path)).isFIFO()) return
  files.add(fd)
  if (!creates && !known.has(pathOf(path)) && statSync(pathOf(path)).isFile()) {
    // Something else has written it, such as a library of its own.
    const data = readWhole(pathOf(path)).toString('hex')
    note({ do: 'found', path: pathOf(path), data })
  }
  known.add(pathOf(path))
  note({ do: 'open', pid, fd, path: pathOf(path), creates, truncates })
}

function noteWritten(fd: number, bytes: Uint8Array, at: unknown): void {
  const data = Buffer.from(bytes).toString('hex')
  note({ do: 'write', pid, fd, at: typeof at === 'number' ? at : null, data })
}

/** The bytes of a call of write, of which `written` were taken. */
function written(args: readonly unknown[], count: unknown): readonly [Uint8Array, unknown] {
  const [, data, offset, , position] = args
  if (typeof data === 'string') return [Buffer.from(data), offset]
  const from = typeof offset === 'number' ? offset : 0
  return [(data as Uint8Array).subarray(from, from + Number(count)), position]
}

replace(fs, 'openSync', (original) => (path, flags, mode) => {
  const fd = original(path, flags, mode) as number
  noteOpen(fd, path, flags)
  return fd
})
replace(fs, 'writeSync', (original) => (...args) => {
  const count = original(...args)
  noteWritten(Number(args[0]), ...written(args, count))
  return count
})
replace(fs, 'ftruncateSync', (original) => (fd, length) => {
  original(fd, length)
  note({ do: 'truncate', pid, fd: Number(fd), length: Number(length ?? 0) })
})
replace(fs, 'closeSync', (original) => (fd) => {
  note({ do: 'close', pid, fd: Number(fd) })
  files.delete(Number(fd))
  original(fd)
})
for (const name of ['fsyncSync', 'fdatasyncSync'])
  replace(fs, name, (original) => (fd) => {
    const id = `${pid} ${++syncs}`
    note({ do: 'sync', pid, fd: Number(fd), id })
    original(fd)
    note({ do: 'synced', id })
  })
replace(fs, 'fdatasync', (original) => (fd, done) => {
  const id = `${pid} ${++syncs}`
  note({ do: 'sync', pid, fd: Number(fd), id })
  return original(fd, (error: unknown) => {
    if (error === null) note({ do: 'synced', id })
    ;(done as (error: unknown) => void)(error)
  })
})
const noteRename = (from: unknown, to: unknown): void =>
  note({ do: 'rename', from: pathOf(from), to: pathOf(to) })
replace(fs, 'renameSync', (original) => (from, to) => {
  original(from, to)
  noteRename(from, to)
})
replace(fs, 'linkSync', (original) => (from, to) => {
  original(from, to)
  note({ do: 'link', from: pathOf(from), to: pathOf(to) })
})
replace(fs, 'rmSync', (original) => (path, options) => {
  if (!existsSync(String(path))) return original(path, options)
  original(path, options)
  note({ do: 'remove', path: pathOf(path) })
  return undefined
})
replace(fs, 'writeFileSync', () => (path, data, options) => {
  const { mode } = (options ?? {}) as { readonly mode?: number }
  const fd = fs.openSync(String(path), 'w', mode)
  try {
    fs.writeSync(fd, data as string)
  } finally {
    fs.closeSync(fd)
  }
})
/** Note the folders that did not exist before `mkdir`, the outermost first. */
function noteFolders(path: unknown, first: unknown): void {
  if (first === undefined) return
  const made: string[] = []
  for (let folder = pathOf(path); ; folder = dirname(folder)) {
    made.unshift(folder)
    if (folder === pathOf(first) || folder === '/') break
  }
  for (const folder of made) note({ do: 'mkdir', path: folder })
}
replace(fs, 'mkdirSync', (original) => (path, options) => {
  const first = original(path, options)
  noteFolders(path, first)
  return first
})
replace(promises, 'mkdir', (original) => async (path, options) => {
  const first = await (original(path, options) as Promise<unknown>)
  noteFolders(path, (options as { recursive?: boolean } | undefined)?.recursive ? first : path)
  return first
})
replace(promises, 'rename', (original) => async (from, to) => {
  await (original(from, to) as Promise<void>)
  noteRename(from, to)
})
const { rm } = promises
/** Remove a folder file by file. */
promises.rm = async (path, options?: RmOptions) => {
  const at = String(path)
  const found = statSync(at, { throwIfNoEntry: false })
  const isFolder = found?.isDirectory() === true
  if (isFolder) for (const name of readdirSync(at)) await promises.rm(join(at, name), options)
  await rm(path, options)
  if (found !== undefined) note({ do: 'remove', path: pathOf(path) })
}
replace(promises, 'open', (original) => async (path, flags, mode) => {
  const handle = await (original(path, flags, mode) as Promise<promises.FileHandle>)
  noteOpen(handle.fd, path, flags)
  const { fd } = handle
  replace(handle, 'close', (close) => () => {
    note({ do: 'close', pid, fd })
    files.delete(fd)
    return close()
  })
  replace(handle, 'sync', (sync) => async () => {
    const id = `${pid} ${++syncs}`
    note({ do: 'sync', pid, fd, id })
    await (sync() as Promise<void>)
    note({ do: 'synced', id })
  })
  replace(handle, 'writeFile', (write) => async (...args) => {
    await (write(...args) as Promise<void>)
    noteWritten(fd, Buffer.from(args[0] as string), null)
  })
  replace(handle, 'write', (write) => async (...args) => {
    const result = await (write(...args) as Promise<{ bytesWritten: number }>)
    // The handle's methods have no descriptor before their other arguments.
    noteWritten(fd, ...written([fd, ...args], result.bytesWritten))
    return result
  })
  return handle
})
syncBuiltinESMExports()
