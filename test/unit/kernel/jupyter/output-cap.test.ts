import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createOutputCap, maxShownLength } from '../../../../kernel/src/jupyter/child/output-cap.ts'

let folder: string
const create = () => createOutputCap(folder, 'cell')

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-cap-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('shows output within the limit unchanged, and makes no file', async () => {
  const cap = create()
  const html = { 'text/html': '<p>', 'text/plain': 'x', 'application/json': { a: 1 } }
  expect(cap.admit('some text')).toEqual({ shown: 'some text', notice: null })
  expect(cap.admitBundle(html).data).toBe(html)
  expect(await readdir(folder)).toEqual([])
})

it('reports once that printed text goes to a file, and once that it is dropped', async () => {
  const cap = create()
  const block = 'x'.repeat(maxShownLength)
  const notices = Array.from({ length: 40 }, () => cap.admit(block).notice)
  expect(notices.filter((notice) => notice !== null)).toEqual([
    expect.stringContaining(`what follows is in ${join(folder, 'cell.log')}`),
    expect.stringContaining('what follows is dropped'),
  ])
  expect((await readFile(join(folder, 'cell.log'))).length).toBe(256 * 1024 * 1024)
})

it('drops what it cannot write, as on a full disk, and says so', async () => {
  const file = join(folder, 'file')
  await writeFile(file, '')
  const cap = createOutputCap(join(file, 'below'), 'cell')
  const block = 'x'.repeat(maxShownLength)
  expect([1, 2, 3].map(() => cap.admit(block).notice)).toEqual([
    null,
    expect.stringMatching(
      /^\n\[files cannot be written \(ENOTDIR.*\); what follows is dropped\]\n$/u,
    ),
    null,
  ])
  const { message } = cap.admitFailure({ name: 'Error', message: block, text: block })
  expect(message).toMatch(/…\n\[\d+ characters more; it is dropped, because files cannot be/u)
  expect(String(cap.admitBundle({ 'text/plain': block }).data?.['text/plain'])).toContain(
    'it is dropped, because files cannot be written',
  )
})

it('counts printed text and displays together', () => {
  const cap = create()
  cap.admit('x'.repeat(maxShownLength - 10))
  const { data } = cap.admitBundle({ 'text/plain': 'y'.repeat(70_000) })
  expect(String(data?.['text/plain']).length).toBeLessThan(3_000)
})

it('writes an output that is too large to a file, names it, and shows the beginning of the text', async () => {
  const html = '<b>' + 'z'.repeat(maxShownLength)
  const { data } = create().admitBundle({ 'text/html': html, 'text/plain': 'the text' })
  const file = join(folder, 'cell-1.html')
  expect(data).toEqual({
    'text/plain': `the text\n[this output has 8 MiB, and one cell shows 8 MiB in all; it is in ${file}]`,
  })
  expect(await readFile(file, 'utf8')).toBe(html)
})

it('writes a picture as a picture', async () => {
  const bytes = Buffer.alloc(maxShownLength, 'p')
  create().admitBundle({ 'text/plain': '[figure]', 'image/png': bytes.toString('base64') })
  expect(bytes.equals(await readFile(join(folder, 'cell-1.png')))).toBe(true)
})

it('shows a small result of a cell that has printed too much', () => {
  const cap = create()
  cap.admit('x'.repeat(maxShownLength + 1))
  const result = { 'text/plain': '42' }
  expect(cap.admitBundle(result).data).toBe(result)
})

it('lets an output be replaced any number of times', () => {
  const cap = create()
  let size = 0
  for (let step = 0; step < 100; step++) {
    const frame = { 'text/html': 'f'.repeat(1_000_000) }
    const shown = cap.admitBundle(frame, size)
    expect(shown.data).toBe(frame)
    ;({ size } = shown)
  }
})

it('shows no further large outputs when their notices alone would flood the page', () => {
  const cap = create()
  cap.admit('x'.repeat(maxShownLength))
  const large = { 'text/plain': 'x'.repeat(100_000) }
  const shown = Array.from({ length: 1_000 }, () => cap.admitBundle(large).data).filter(
    (data) => data !== null,
  )
  const total = shown.reduce((sum, data) => sum + String(data['text/plain']).length, 0)
  expect(shown.length).toBeGreaterThan(10)
  expect(total).toBeLessThan(1024 * 1024 + 1)
})

it('keeps the beginning of an error of any length', () => {
  const cap = create()
  const failure = { name: 'Error', message: 'm'.repeat(maxShownLength), text: 't'.repeat(100) }
  const told = cap.admitFailure(failure)
  expect(told.text).toBe(failure.text)
  expect(told.message).toMatch(/^m{16384}…\n\[\d+ characters more; it is in .*cell-1\.txt\]$/u)
  const short = { name: 'Error', message: 'm', text: 't' }
  expect(cap.admitFailure(short)).toBe(short)
})
