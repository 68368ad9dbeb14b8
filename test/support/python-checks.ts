import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import Type, { type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'

/** The Python of the checkout, with the packages of the tests. */
export const python = resolve(import.meta.dirname, '../../.venv/bin/python')

/** The program that tests an API by its OpenAPI document. */
export const schemathesis = resolve(import.meta.dirname, '../../.venv/bin/schemathesis')

const Listed = Type.Object({ module: Type.String(), check: Type.String() })

const Result = Type.Object({
  module: Type.String(),
  check: Type.String(),
  outcome: Type.String(),
  detail: Type.String(),
})

/** How a check in Python ended: `passed`, or `failed` or `skipped` for the reason in `detail`. */
export type CheckResult = Static<typeof Result>

/** Where checks in Python are. */
export interface ChecksPlace {
  readonly folder: string
  readonly modules: readonly string[]
  /** Variables of their environment, besides those of this process. */
  readonly env: Readonly<Record<string, string>>
}

/** List the checks of modules. */
export function listChecks(place: ChecksPlace): Promise<Static<typeof Listed>[]> {
  return ask(Listed, place, ['--list'])
}

/** Run the checks of modules, in one process. They are in Python where what they use is. */
export function runChecks(place: ChecksPlace): Promise<CheckResult[]> {
  return ask(Result, place, [])
}

async function ask<S extends TSchema>(
  schema: S,
  { folder, modules, env }: ChecksPlace,
  options: readonly string[],
): Promise<Static<S>[]> {
  const program = join(import.meta.dirname, 'checks.py')
  const { stdout } = await promisify(execFile)(
    python,
    ['-B', '-W', 'ignore', program, ...options, ...modules],
    { cwd: folder, maxBuffer: 64 * 2 ** 20, env: { ...process.env, ...env } },
  )
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => Value.Parse(schema, JSON.parse(line)))
}
