import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, expect, it } from 'vitest'

const checkout = resolve(import.meta.dirname, '../../../..')

const Told = Type.Object({
  error: Type.Optional(Type.String()),
  written: Type.Optional(Type.String()),
  ran: Type.Optional(Type.Boolean()),
  parameters: Type.Record(Type.String(), Type.Unknown()),
})

/** A notebook that declares parameters, and values for them as YAML. */
interface Case {
  readonly cell: string
  readonly given: string
  /** Whether it is run, too. */
  readonly run: boolean
}

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-papermill-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** Ask papermill for all cases in one process, because its start takes seconds. */
async function papermill(cases: readonly Case[]): Promise<Static<typeof Told>[]> {
  const child = spawn(
    join(checkout, '.venv/bin/python'),
    ['-W', 'ignore', join(import.meta.dirname, 'papermill_cases.py')],
    {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {
        ...process.env,
        COMMUNITY_LAB_HOME: folder,
        JUPYTER_PATH: join(checkout, '.venv/share/jupyter'),
        JUPYTER_RUNTIME_DIR: join(folder, 'runtime'),
        IPYTHONDIR: join(folder, 'ipython'),
      },
    },
  )
  child.stdin.end(cases.map((each) => `${JSON.stringify(each)}\n`).join(''))
  const lines = (await text(child.stdout)).split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => Value.Parse(Told, JSON.parse(line)))
}

it('papermill writes values of each kind exactly, as TypeScript', async () => {
  const rows = [
    ['let whole = 1', 'whole: 42', '42'],
    ['let negative = 1', 'negative: -7', '-7'],
    ['let small = 0.5', 'small: 1.0e-7', '1e-07'],
    ['let flag = false', 'flag: true', 'true'],
    ['let empty: string | null = null', 'empty: null', 'null'],
    ["let text = 'x'", 'text: \'a "b" \\n ${c} é\'', '"a \\"b\\" \\\\n ${c} \\u00e9"'],
    ["let version = '1.0'", "version: '1.10'", '"1.10"'],
    ['let few: number[] = []', 'few: [1, 2.5]', '[1, 2.5]'],
    [
      'let by: Record<string, number> = {}',
      'by: {a: 1, __proto__: 2}',
      '{ "a": 1, ["__proto__"]: 2 }',
    ],
    ['let big = 1n', 'big: 5', '5n'],
    [
      'let bigger: bigint = 1n // of any size',
      'bigger: 12345678901234567890',
      '12345678901234567890n',
    ],
  ] as const
  const [told] = await papermill([
    {
      cell: [
        ...rows.map(([declaration]) => declaration),
        'const fixed: number = 3 // how many',
      ].join('\n'),
      given: [...rows.map(([, given]) => given), 'fixed: 4'].join('\n'),
      run: true,
    },
  ])
  const lines = rows.map(([declaration, , value]) => {
    return `  ${/^let (\w+)/u.exec(declaration)?.[1] ?? ''} = ${value}`
  })
  const head = ['// Parameters', 'const fixed: number = 4', '{']
  expect(told?.error).toBeUndefined()
  expect(told?.written?.trimEnd().split('\n')).toEqual([...head, ...lines, '}'])
  expect(told?.ran).toBe(true)
  expect(told?.parameters).toMatchObject({
    fixed: { name: 'fixed', inferred_type_name: 'number', default: '3', help: 'how many' },
    text: { inferred_type_name: 'string', default: "'x'" },
    big: { inferred_type_name: 'bigint' },
    few: { inferred_type_name: 'number[]' },
  })
})

it('papermill runs no cell with a value of another type, or for a parameter that there is not', async () => {
  const rows = [
    ['let count = 1', 'count: 12345678901234567890', "'bigint' is not assignable to type 'number'"],
    ["let version = '1.0'", 'version: 1.10', "'number' is not assignable to type 'string'"],
    ["let mode: 'a' | 'b' = 'a'", 'mode: c', '\'"c"\' is not assignable to type \'"a" | "b"\''],
    ['let count = 1', 'cuont: 2', "Cannot find name 'cuont'"],
  ] as const
  const told = await papermill(rows.map(([cell, given]) => ({ cell, given, run: true })))
  expect(told.map(({ error, ran }) => [error, ran])).toEqual(
    rows.map(([, , complaint]) => [expect.stringContaining(complaint) as string, false]),
  )
})

it('papermill refuses in a sentence what TypeScript or a notebook cannot have', async () => {
  const rows = [
    ['"a; process.exit()": 1', '"a; process.exit()" is no name of a parameter'],
    ['count: {1: a}', 'the parameter count cannot be given: the key 1 is no text'],
    ['count: !!set {a}', "of Python's type set has no like in TypeScript"],
    ['count: .nan', 'nan is no number that a notebook can keep'],
    ['count: -.inf', '-inf is no number that a notebook can keep'],
  ] as const
  const cell = 'let count: object = {}'
  const told = await papermill(rows.map(([given]) => ({ cell, given, run: false })))
  expect(told.map(({ error }) => error)).toEqual(
    rows.map(([, sentence]) => expect.stringContaining(sentence) as string),
  )
})
