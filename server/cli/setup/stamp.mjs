// @ts-check
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Compute a fingerprint of files and folders from path, size and modification time, which is fast enough for every start.
 * A file that does not exist counts as absent. @param {string} root @param {readonly string[]} paths relative to the root
 */
export function fingerprintOf(root, paths) {
  const hash = createHash('sha256')
  for (const path of paths) addPath(hash, root, path)
  return hash.digest('hex')
}

/** Return the SHA-256 of a file's bytes, or of nothing when the file does not exist. @param {string} file */
export function contentHash(file) {
  return createHash('sha256')
    .update(existsSync(file) ? readFileSync(file) : '')
    .digest('hex')
}

/**
 * Tell whether a step was done with these inputs.
 * @param {string} file the step's stamp @param {Readonly<Record<string, string>>} inputs
 */
export function isStamped(file, inputs) {
  return existsSync(file) && readFileSync(file, 'utf8') === stampText(inputs)
}

/** Record that a step is done with these inputs. @param {string} file @param {Readonly<Record<string, string>>} inputs */
export function writeStamp(file, inputs) {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, stampText(inputs))
}

/** Remove the record of a step before doing it again, so that it does not count as done when it is interrupted. @param {string} file */
export function removeStamp(file) {
  rmSync(file, { force: true })
}

/** @param {Readonly<Record<string, string>>} inputs */
const stampText = (inputs) => JSON.stringify(inputs, null, 2) + '\n'

/** @param {import('node:crypto').Hash} hash @param {string} root @param {string} path */
function addPath(hash, root, path) {
  const stat = statSync(join(root, path), { throwIfNoEntry: false })
  if (stat === undefined) hash.update(`${path}\0absent\n`)
  else if (!stat.isDirectory()) hash.update(`${path}\0${stat.size}\0${stat.mtimeMs}\n`)
  else
    for (const name of readdirSync(join(root, path)).sort()) {
      if (name === 'node_modules' || name === '__pycache__') continue
      addPath(hash, root, `${path}/${name}`)
    }
}
