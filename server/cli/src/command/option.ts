import { InputTime, maxClockAheadS } from '@community-lab/contract'
import { InvalidArgumentError, type Command } from 'commander'
import { Value } from 'typebox/value'

/** Create a command. Every command can print JSON. */
export function leaf(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option('--json', 'print JSON: one document per line, errors too')
}

/** Create a command that shows something. It can go on, and show each change. */
export function viewer(parent: Command, name: string, description: string): Command {
  return leaf(parent, name, description).option(
    '--watch',
    'go on, and show each change, until Ctrl-C',
  )
}

/** Create a command that destroys something. On a terminal it asks first. */
export function destroyer(parent: Command, name: string, description: string): Command {
  return leaf(parent, name, description).option('--yes', 'do not ask')
}

/** Add the options for the rights of a group's member to a command. */
export function roleOptions(command: Command): Command {
  return command
    .option('--group-admin', 'look after members, nodes and slices')
    .option('--node-admin', 'look after nodes')
    .option('--slice-admin', 'make and change slices')
}

/** Read a number of nodes: 1 to 100. */
export function nodeCount(text: string): number {
  return wholeNumber(text, 1, 100)
}

/** A clock that a virtual node is to have: how far it is ahead of this machine's, in seconds. */
export interface NodeClock {
  readonly node: string
  readonly aheadS: number
}

/** Add a clock `NODE=SECONDS` to those before it, such as `n2=+5` or `n3=-0.25s`. */
export function nodeClock(text: string, before: readonly NodeClock[]): readonly NodeClock[] {
  const [, node, ahead] = /^(n[1-9]\d*)=([+-]?\d+(?:\.\d+)?)s?$/u.exec(text) ?? []
  const aheadS = Number(ahead)
  if (node === undefined || Math.abs(aheadS) > maxClockAheadS)
    throw new InvalidArgumentError(
      `it has to be NODE=SECONDS, such as n2=+5 or n3=-0.25, up to ${maxClockAheadS} s.`,
    )
  return [...before.filter((clock) => clock.node !== node), { node, aheadS }]
}

/** The default of the server's port, in words. */
export const usualPort = 'default: 8080, or a free one when that is in use'

/** Read a port: 1 to 65535. */
export function port(text: string): number {
  return wholeNumber(text, 1, 65_535)
}

/** Add a parameter `NAME=VALUE` to those before it. */
export function parameter(text: string, before: readonly string[]): readonly string[] {
  if (!/^[A-Za-z_$][\w$]*=/u.test(text))
    throw new InvalidArgumentError('it has to be NAME=VALUE, with a name that TypeScript takes.')
  return [...before, text]
}

/** Read a point in time in the future: RFC 3339, a date, or days or hours from now (`30d`, `12h`). `nowMs` is in milliseconds since the epoch. */
export function expiry(text: string, nowMs = Date.now()): string {
  return readTime(text, { nowMs, direction: 1, example: 'days or hours such as 30d' })
}

/** Read a point in time in the past: RFC 3339, a date, or an age in days or hours (`7d`, `12h`). `nowMs` is in milliseconds since the epoch. */
export function pastTime(text: string, nowMs = Date.now()): string {
  return readTime(text, { nowMs, direction: -1, example: 'an age such as 7d' })
}

interface TimeOptions {
  readonly nowMs: number
  /** Whether a duration leads to the future or to the past. */
  readonly direction: 1 | -1
  readonly example: string
}

function readTime(text: string, { nowMs, direction, example }: TimeOptions): string {
  const [, amount, unit] = /^(\d{1,4})([dh])$/u.exec(text) ?? []
  if (amount !== undefined) {
    const durationMs = Number(amount) * (unit === 'd' ? 86_400_000 : 3_600_000)
    return new Date(nowMs + direction * durationMs).toISOString()
  }
  // `Date.parse` would take "5" for May 2001.
  const full = /^[\d-]{10}$/u.test(text) ? `${text}T00:00:00Z` : text
  if (Value.Check(InputTime, full)) return new Date(full).toISOString()
  throw new InvalidArgumentError(
    `it has to be a date, a time with its zone such as 2026-05-04T12:00:00Z, or ${example}.`,
  )
}

/** Read a number of entries: 1 to 1000. */
export function count(text: string): number {
  return wholeNumber(text, 1, 1000)
}

/** Read a whole number from 0 on. The server knows how large it may be. */
export function amount(text: string): number {
  if (/^\d{1,9}$/u.test(text)) return Number(text)
  throw new InvalidArgumentError('it has to be a whole number.')
}

/** Make the reader of an option that takes a value or, instead, a word such as `all`. */
export function orWord<T, W extends string>(
  word: W,
  read: (text: string) => T,
): (text: string) => T | W {
  return (text) => (text === word ? word : read(text))
}

function wholeNumber(text: string, min: number, max: number): number {
  const value = /^\d{1,6}$/u.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new InvalidArgumentError(`it has to be a whole number from ${min} to ${max}.`)
}
