// @ts-check
import process from 'node:process'
import { readFileSync } from 'node:fs'

/** The time between checks of the parents, in milliseconds. */
const lookEveryMs = 500

/** npm starts a script with a shell, and the script may be started by another shell. */
const mostBelowNpm = 3

/**
 * Notice the end of the process that started this one, in whatever way it ends. When npm did, with or without a shell between, that process is npm.
 * @param {() => void} onEnd called once
 * @returns {() => void} ends this
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

/** Return the number of generations between this process and npm; null when npm did not start it. */
function distanceToNpm() {
  if (process.env['npm_lifecycle_event'] === undefined) return null
  const names = ancestors(mostBelowNpm).map((pid) => readStat(pid)?.name ?? '')
  // The process name of npm is `npm start`.
  const at = names.findIndex((name) => name.startsWith('npm'))
  return at === -1 ? null : at + 1
}

/** Return the parent, its parent and so on, as process ids. @param {number} count @returns {readonly number[]} */
function ancestors(count) {
  const found = [process.ppid]
  while (found.length < count) {
    const parent = readStat(found.at(-1) ?? 0)?.parent ?? 0
    if (parent <= 1) break
    found.push(parent)
  }
  return found
}

/** @param {number} pid @returns {{ name: string, parent: number } | null} null: the process has ended, or this is not Linux */
function readStat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name is in parentheses, and may itself contain parentheses and blanks.
    const [, name = '', parent = ''] = /^\d+ \((.*)\) \S (\d+) /su.exec(text) ?? []
    return { name, parent: Number(parent) }
  } catch {
    // The process ended between two reads.
    return null
  }
}
