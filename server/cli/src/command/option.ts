import { InvalidArgumentError, type Command } from 'commander'

/** Create a command. Every command can print JSON. */
export function leaf(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option('--json', 'print JSON: one document per line, errors too')
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

/** Read a point in time, RFC 3339, or a number of days from now (`30d`). `now` is in milliseconds since the epoch. */
export function expiry(text: string, now = Date.now()): string {
  const days = /^(\d{1,4})d$/u.exec(text)?.[1]
  const at = days === undefined ? Date.parse(text) : now + Number(days) * 86_400_000
  if (Number.isNaN(at)) throw new InvalidArgumentError('it has to be a date, or days such as 30d.')
  return new Date(at).toISOString()
}

/** Read a number of entries: 1 to 1000. */
export function count(text: string): number {
  return wholeNumber(text, 1, 1000)
}

/** Read a point in time, RFC 3339, or an age: days or hours before now (`7d`, `12h`). `now` is in milliseconds since the epoch. */
export function pastTime(text: string, now = Date.now()): string {
  const [, amount, unit] = /^(\d{1,4})([dh])$/u.exec(text) ?? []
  const ageMs = Number(amount) * (unit === 'd' ? 86_400_000 : 3_600_000)
  const at = amount === undefined ? Date.parse(text) : now - ageMs
  if (Number.isNaN(at)) throw new InvalidArgumentError('it has to be a time, or an age such as 7d.')
  return new Date(at).toISOString()
}

function wholeNumber(text: string, min: number, max: number): number {
  const value = /^\d{1,6}$/u.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new InvalidArgumentError(`it has to be a whole number from ${min} to ${max}.`)
}
