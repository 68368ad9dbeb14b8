import { LabError } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { writeParameters } from '../../../../server/cli/src/notebook/parameters.ts'

interface Given {
  /** Ends with `p` and its type or default: `let p = 1`. */
  readonly cell: string
  readonly text: string
}

const write = ({ cell, text }: Given, name = 'p'): string =>
  writeParameters({ source: cell, file: '/nowhere/a.ipynb' }, [{ name, text }])

function refusal(given: Given, name?: string): string {
  try {
    write(given, name)
  } catch (error) {
    if (LabError.is(error, 'LAB_NOTEBOOK_PARAMETER')) return error.message
    throw error
  }
  throw new Error('it was taken')
}

it('takes values exactly, by the type that the cell declares', () => {
  const rows = [
    ['= 1n', '12345678901234567890', '12345678901234567890n'],
    ['= 1n', '-0x10', '-16n'],
    ['= 1n', '12n', '12n'],
    ['= 1', '41', '41'],
    ['= 1', '.5', '0.5'],
    ['= 1', '+5', '5'],
    ['= 1', '007', '7'],
    ['= 1', '-0', '-0'],
    ['= 1', '1e-7', '1e-7'],
    ['= 1', '0.10000000000000001', '0.1'],
    ['= 1', '1152921504606846976', '1152921504606847000'],
    ['= 1', '1_000', '1_000'],
    ['= 1', 'NaN', 'NaN'],
    ['= 1', '-Infinity', '-Infinity'],
    ["= '1.0'", '1.10', '"1.10"'],
    ["= '1.0'", 'null', '"null"'],
    ["= '1.0'", '"1"', '"\\"1\\""'],
    ["= '1.0'", '', '""'],
    ["= '1.0'", 'a=b', '"a=b"'],
    [': string | null = null', 'null', 'null'],
    [': string | null = null', '"null"', '"null"'],
    [': string | null = null', '12', '"12"'],
    ['= false', 'true', 'true'],
    [": 'fast' | 'slow' = 'slow'", 'fast', '"fast"'],
    ['= [1, 2]', '[3, 4]', '[3, 4]'],
    ['= [1, 2]', '[]', '[]'],
    [': { side: number; name?: string } = { side: 1 }', '{"side": 2.5}', '{"side": 2.5}'],
    [': number | string = 80', '8080', '8080'],
    [': number | string = 80', 'http', '"http"'],
  ] as const
  const source = rows.map(([type], at) => `let p${at} ${type}\n`).join('')
  const given = rows.map(([, text], at) => ({ name: `p${at}`, text }))
  const lines = writeParameters({ source, file: '/nowhere/a.ipynb' }, given).split('\n')
  expect(lines.slice(2, -1)).toEqual(rows.map(([, , code], at) => `  p${at} = ${code}`))
})

it.for<readonly [type: string, text: string, why: string, how: string]>([
  ['= 1', '12345678901234567890', 'would become 12345678901234567168', 'let p = 1n'],
  ['= 1', '9007199254740993', 'would become 9007199254740992', 'let p = 1n'],
  ['= 1', '0.12345678901234567890', 'would become 0.12345678901234568', "let p = '1'"],
  ['= 1', '1e400', 'would become Infinity', "let p = '1'"],
  ['= 1', '1e-400', 'would become 0', "let p = '1'"],
  ['= 1', 'nan', '"nan" is no number', 'p=3'],
  ['= 1', '0,5', '"0,5" is no number', 'p=3'],
  ['= 1', '12ms', '"12ms" is no number', 'p=3'],
  ['= 1', '', '"" is no number', 'p=3'],
  ['= 1', '"3"', 'is no number', 'p=3'],
  ['= 1n', '1.5', 'is no whole number', 'p=3'],
  ['= true', 'yes', 'is neither true nor false', 'p=true'],
  [": 'fast' | 'slow' = 'slow'", 'fats', 'is none of fast, slow', 'p=fast'],
  ['= [1]', '3', 'is no number[]', 'as TypeScript does'],
  ['= [1]', '[12345678901234567890]', 'would become 12345678901234567168', 'fewer digits'],
  ['= [1]', '[process.exit()]', 'is no number[]', 'as TypeScript does'],
  ['= { side: 1 }', '{"sides": 2}', '\'"sides"\' does not exist', 'as TypeScript does'],
  ['', '3', 'gives it no type', 'let p: string'],
  ['= new Date(0)', '2026-01-01', 'is no Date', 'as TypeScript does'],
])('refuses `let p %s` to be %j, by name, and says how to write it', ([type, text, why, how]) => {
  const sentence = refusal({ cell: `let p ${type}`, text })
  expect(sentence).toContain('parameter p: ')
  expect(sentence).toContain(why)
  expect(sentence).toContain(how)
})

it('knows types that the cell gives a name, constants, and several in one statement', () => {
  const cell = "type Mode = 'fast' | 'slow'\nconst mode: Mode = 'slow', count = 1"
  expect(write({ cell, text: 'fast' }, 'mode')).toBe('// Parameters\nconst mode: Mode = "fast"')
  expect(write({ cell, text: '2' }, 'count')).toBe('// Parameters\nconst count = 2')
})

it('says which parameter was probably meant, and which there are', () => {
  const sentence = refusal({ cell: 'let count = 1\nlet seed = 1n', text: '2' }, 'conut')
  expect(sentence).toContain('did you mean count?')
  expect(sentence).toContain('there are: count, seed')
})

it('sets several at once, constants before variables, and of two values the later one', () => {
  const source = "let count = 1\nlet version = '1'\nconst ratio = 0.5"
  const given = ['count=1', 'ratio=0.25', 'count=2', 'version=x'].map((each) => {
    const [name = '', text = ''] = each.split('=')
    return { name, text }
  })
  expect(writeParameters({ source, file: '/nowhere/a.ipynb' }, given)).toBe(
    '// Parameters\nconst ratio = 0.25\n{\n  count = 2\n  version = "x"\n}',
  )
})
