import fc from 'fast-check'
import { expect, it } from 'vitest'
import { maxKeptBytes } from '@community-lab/contract'
import { KeptReader, type KeptPart } from '../../../../agent/src/run/domain/kept.ts'

const bytesOf = (text: string): Uint8Array => Buffer.from(text)
const answer =
  'file 3 ./a b\nx\nyfile 0 ./out/empty\nmissing *.csv\nother ./link\nlarge 99 ./big\nmany ./more\nend\nrest'

/** Join parts of content, so that it is the same however it was cut. */
function join(parts: readonly KeptPart[]): readonly string[] {
  const told: string[] = []
  for (const part of parts) {
    if (part.is === 'content') told.push(`${told.pop() ?? ''}${Buffer.from(part.bytes).toString()}`)
    else if (part.is === 'file') told.push(`${part.path} (${part.bytes}): `)
    else told.push(part.is === 'end' ? 'end' : `${part.file.path} ${part.file.problem ?? ''}`)
  }
  return told
}

it('reads files and what is wrong with others, wherever the answer is cut', () => {
  const whole = join(new KeptReader().read(bytesOf(answer)))
  expect(whole).toEqual([
    'a b (3): x\ny',
    'out/empty (0): ',
    '*.csv there is no such file',
    'link it is no regular file; links, folders and devices are not kept',
    expect.stringContaining('big it is too large'),
    expect.stringContaining('more it, and what may come after it, is one too many'),
    'end',
  ])
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: answer.length })), (cuts) => {
      const reader = new KeptReader()
      const at = [0, ...cuts.sort((one, other) => one - other), answer.length]
      const parts = at.flatMap((from, index) =>
        reader.read(bytesOf(answer.slice(from, at[index + 1] ?? from))),
      )
      expect(join(parts)).toEqual(whole)
    }),
  )
})

it('a name that leads elsewhere, or that no terminal shows, is told and not kept', () => {
  for (const name of ['../a', 'a/../../b', '/etc/passwd', 'a//b', 'a\u0007', 'x'.repeat(600)]) {
    const [part, next] = new KeptReader().read(bytesOf(`file 2 ./${name}\nhifile 1 ./ok\n1`))
    expect(part).toMatchObject({ is: 'problem' })
    expect(next).toEqual({ is: 'file', path: 'ok', bytes: 1 })
  }
})

it('names that look alike, because they are not UTF-8 or have separators, are told and end nothing', () => {
  const odd = ['\u2028', 'a\r', 'b\u2029'].flatMap((name) => [name, name])
  const told = odd.map((name) => `file 1 ./${name}\nx`).join('')
  const found = new KeptReader().read(
    Buffer.from(`${told}odd ./a\u0001b\nmissing \u2028\nend\n`, 'utf8'),
  )
  expect(found.map(({ is }) => is)).toEqual([...Array<string>(8).fill('problem'), 'end'])
  const latin = new KeptReader().read(
    Buffer.from('file 1 ./\xff\nxfile 1 ./\xfe\nxend\n', 'latin1'),
  )
  expect(latin.map(({ is }) => is)).toEqual(['problem', 'problem', 'end'])
})

it('what is no answer is refused: more bytes, more files, a file twice, lines without end', () => {
  const read = (text: string) => () => new KeptReader().read(bytesOf(text))
  expect(read(`file ${maxKeptBytes + 1} ./a\n`)).toThrow('too many bytes')
  expect(read('other ./a\nother ./a\n')).toThrow('twice')
  const many = Array.from({ length: 200 }, (_, nr) => `other ./${nr}\n`).join('')
  expect(read(many)).toThrow('too many files')
  expect(read('x'.repeat(5000))).toThrow('too long')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        const parts = new KeptReader().read(bytes)
        expect(parts.length).toBeLessThan(200)
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
      }
    }),
  )
})
