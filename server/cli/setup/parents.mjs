// @ts-check
import process from 'node:process'
import { readFileSync } from 'node:fs'

/** How often it is looked whether they are still there, in milliseconds. */
const lookEveryMs = 500

/** npm starts a script by a shell; another shell may be what the script was started by. */
const mostBelowNpm = 3

/**
 * Learn of the end of whoever started this process, however that one ended. Where npm did, with or without a shell between, that is npm.
 * @param {() => void} onEnd called once
 * @returns {() => void} stops looking
 */
export function watchParents(onEnd) {
  const known = ancestors(distanceToNpm() ?? 1)
  const timer = setInterval(() => {
    const now = ancestors(known.length)
    if (known.every((pid, at) => pid === now[at])) return
    clearInterval(timer)
    onEnd()
  }, lookEveryMs)
  timer.unref()
  return () => clearInterval(timer)
}

/** How many parents up npm is; null: npm did not start this. */
function distanceToNpm() {
  if (process.env['npm_lifecycle_event'] === undefined) return null
  const names = ancestors(mostBelowNpm).map((pid) => readStat(pid)?.name ?? '')
  // npm calls itself `npm start`.
  const at = names.findIndex((name) => name.startsWith('npm'))
  return at === -1 ? null : at + 1
}

/** The parent, its parent and so on, as process ids. @param {number} count @returns {readonly number[]} */
function ancestors(count) {
  const found = [process.ppid]
  while (found.length < count) {
    const parent = readStat(found.at(-1) ?? 0)?.parent ?? 0
    if (parent <= 1) break
    found.push(parent)
  }
  return found
}

/** @param {number} pid @returns {{ name: string, parent: number } | null} null: it has gone, or this is no Linux */
function readStat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name stands in brackets, and may have brackets and blanks itself.
    const [, name = '', parent = ''] = /^\d+ \((.*)\) \S (\d+) /su.exec(text) ?? []
    return { name, parent: Number(parent) }
  } catch {
    // It ended between two looks.
    return null
  }
}
