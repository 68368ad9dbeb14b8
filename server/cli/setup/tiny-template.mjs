#!/usr/bin/env node
// @ts-check
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

/**
 * The sliver template "tiny": busybox, dropbear, perl, ping, fping, iperf3 and traceroute of the installed Debian packages, with the libraries that they need.
 * The same packages give the same archive, byte for byte. Needs no root.
 */

/** @typedef {{ type: 'file' | 'folder' | 'link', mode: number, content?: Buffer, target?: string }} Entry */

const where = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']
/** The programs, each with its path in the template and its Debian package. */
const programs = [
  { name: 'busybox', at: 'bin/busybox', package: 'busybox-static' },
  { name: 'dropbear', at: 'usr/sbin/dropbear', package: 'dropbear-bin' },
  { name: 'ping', at: 'usr/bin/ping', package: 'iputils-ping' },
  { name: 'fping', at: 'usr/bin/fping', package: 'fping' },
  { name: 'iperf3', at: 'usr/bin/iperf3', package: 'iperf3' },
  { name: 'perl', at: 'usr/bin/perl', package: 'perl-base' },
  { name: 'traceroute', at: 'usr/bin/traceroute', package: 'traceroute' },
]
const folders = {
  755: 'bin dev etc etc/dropbear home lib lib64 mnt proc root run sbin sys usr usr/bin usr/lib usr/sbin var var/log',
  1777: 'tmp var/tmp',
}
const texts = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  'etc/group': 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n',
  'etc/shells': '/bin/sh\n/bin/ash\n',
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n',
  'etc/profile':
    "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPS1='\\u@\\h:\\w\\$ '\numask 022\n",
  'etc/os-release': 'NAME="Community-Lab tiny"\nID=community-lab-tiny\nID_LIKE=debian\n',
}
/**
 * Debian's busybox has no nohup. This one also ignores SIGPIPE. After the end of the SSH connection that started a program, nobody reads its output, and
 * SIGPIPE would end it.
 */
const nohup = `#!/bin/sh
[ $# -gt 0 ] || { echo "usage: nohup PROGRAM [ARGUMENTS]" >&2; exit 125; }
trap "" HUP PIPE
exec "$@"
`
/** No password matches, because dropbear accepts only keys. */
const shadow = 'root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n'

/**
 * Build `tiny.tar.gz` and `tiny.tar.gz.sha256` (in the format of `sha256sum`) in a folder, which is created when it does not exist.
 * @param {string} outDir
 * @returns {Promise<{ image: string, sha256: string, sizeBytes: number }>}
 */
export async function buildTinyTemplate(outDir) {
  const archive = writeArchive(collectEntries())
  // The fifth to ninth byte of the header contain the time and the level. zlib leaves the time zero. The number of the operating system is fixed here.
  const image = gzipSync(archive, { level: 9 })
  image[9] = 255
  const sha256 = createHash('sha256').update(image).digest('hex')
  mkdirSync(outDir, { recursive: true })
  const path = join(resolve(outDir), 'tiny.tar.gz')
  writeFileSync(path, image)
  writeFileSync(`${path}.sha256`, `${sha256}  tiny.tar.gz\n`)
  return { image: path, sha256, sizeBytes: image.length }
}

/** @returns {Map<string, Entry>} */
function collectEntries() {
  /** @type {Map<string, Entry>} */
  const entries = new Map()
  for (const [mode, paths] of Object.entries(folders)) {
    for (const path of paths.split(' '))
      entries.set(path, { type: 'folder', mode: parseInt(mode, 8) })
  }
  for (const { name, at, package: from } of programs) {
    const path = find(name, from)
    addFile(entries, at, path)
    for (const library of librariesOf(path)) addFile(entries, library.slice(1), library)
  }
  addPerlModules(entries)
  for (const [path, text] of Object.entries(texts))
    entries.set(path, { type: 'file', mode: 0o644, content: Buffer.from(text) })
  entries.set('usr/bin/nohup', { type: 'file', mode: 0o755, content: Buffer.from(nohup) })
  entries.set('etc/shadow', { type: 'file', mode: 0o600, content: Buffer.from(shadow) })
  entries.set('usr/bin/ping6', { type: 'link', mode: 0o777, target: 'ping' })
  addApplets(entries)
  return entries
}

/** @param {string} name @param {string} from */
function find(name, from) {
  for (const folder of where) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.R_OK | constants.X_OK)
      return path
    } catch {
      // The program is not in this folder.
    }
  }
  throw new Error(`${name} is not installed; install Debian's package ${from}`)
}

/** @param {Map<string, Entry>} entries @param {string} at @param {string} path */
function addFile(entries, at, path) {
  const parts = at.split('/')
  for (let depth = 1; depth < parts.length; depth++) {
    const folder = parts.slice(0, depth).join('/')
    if (!entries.has(folder)) entries.set(folder, { type: 'folder', mode: 0o755 })
  }
  // Files are never setuid, whatever the host has. Root in a sliver does not need it, and other users of the sliver must not have it.
  entries.set(at, { type: 'file', mode: 0o755, content: readFileSync(realpathSync(path)) })
}

/** Return the libraries that a program loads, by the paths at which it looks for them. @param {string} path */
function librariesOf(path) {
  let out
  try {
    out = execFileSync('ldd', [path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    // ldd refuses programs that are linked statically.
    return []
  }
  return [...out.matchAll(/(?:=> )?(\/\S+) \(0x/gu)].map((match) => match[1] ?? '')
}

/**
 * Add the modules of perl-base. Its tables of Unicode, two thirds of them, are left out: only programs that ask for properties of characters (`\\p{…}`) read them.
 * @param {Map<string, Entry>} entries
 */
function addPerlModules(entries) {
  const path = find('perl', 'perl-base')
  const list = 'print join("\\n", grep { m{/perl-base$} } @INC)'
  const [folder = ''] = execFileSync(path, ['-e', list], { encoding: 'utf8' }).split('\n')
  if (folder === '') throw new Error("perl is not Debian's; install Debian's package perl-base")
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    if (entry.isFile() && !file.startsWith(join(folder, 'unicore')))
      addFile(entries, file.slice(1), file)
  }
}

/** Link every applet of busybox, unless another program has its path. @param {Map<string, Entry>} entries */
function addApplets(entries) {
  const path = find('busybox', 'busybox-static')
  const list = execFileSync(path, ['--list-full'], { encoding: 'utf8' })
  const taken = new Set([...entries.keys()].map((entry) => entry.split('/').at(-1)))
  for (const applet of list.trim().split('\n')) {
    const name = applet.split('/').at(-1) ?? ''
    const folder = applet.split('/').slice(0, -1).join('/')
    if (taken.has(name) || !entries.has(folder)) continue
    entries.set(applet, { type: 'link', mode: 0o777, target: '/bin/busybox' })
  }
}

/** Write a tar archive (ustar), sorted, with uid 0 and without times. @param {Map<string, Entry>} entries */
function writeArchive(entries) {
  const blocks = [...entries.keys()].sort().flatMap((path) => {
    const entry = /** @type {Entry} */ (entries.get(path))
    const content = entry.content ?? Buffer.alloc(0)
    const padding = Buffer.alloc((512 - (content.length % 512)) % 512)
    return [header(path, entry, content.length), content, padding]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

/** @param {string} path @param {Entry} entry @param {number} size */
function header(path, entry, size) {
  const block = Buffer.alloc(512)
  const name = `./${path}${entry.type === 'folder' ? '/' : ''}`
  if (name.length > 100) throw new Error(`${name} is too long for this archive's format`)
  /** @param {number} value @param {number} at @param {number} length */
  const writeOctal = (value, at, length) =>
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
  block.write(name, 0, 'latin1')
  writeOctal(entry.mode, 100, 8)
  writeOctal(0, 108, 8)
  writeOctal(0, 116, 8)
  writeOctal(size, 124, 12)
  writeOctal(0, 136, 12)
  block.write({ file: '0', link: '2', folder: '5' }[entry.type], 156, 'latin1')
  block.write(entry.target ?? '', 157, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  block.write('root', 265, 'latin1')
  block.write('root', 297, 'latin1')
  // The checksum is computed with spaces in its own field.
  block.write('        ', 148, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [outDir] = process.argv.slice(2)
  if (outDir === undefined || outDir.startsWith('-')) {
    console.error('usage: node tiny-template.mjs OUTDIR')
    process.exitCode = 2
  } else {
    const { image, sha256, sizeBytes } = await buildTinyTemplate(outDir)
    console.log(`${image}: ${(sizeBytes / 2 ** 20).toFixed(1)} MiB, SHA-256 ${sha256}`)
  }
}
