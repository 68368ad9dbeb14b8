import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { median, printTable } from './table.ts'

const checkout = resolve(import.meta.dirname, '../..')

const Measured = Type.Object({
  ready: Type.Number(),
  first: Type.Number(),
  sum: Type.Number(),
  function: Type.Number(),
  library: Type.Optional(Type.Number()),
  functionAfter: Type.Optional(Type.Number()),
  sumAfter: Type.Optional(Type.Number()),
  additions: Type.Number(),
  completion: Type.Number(),
  completion99: Type.Number(),
  inspection: Type.Number(),
  inspection99: Type.Number(),
  busyCompletion: Type.Optional(Type.Number()),
  busyInspection: Type.Optional(Type.Number()),
  memory: Type.Number(),
  next: Type.Number(),
  tenth: Type.Optional(Type.Number()),
  last: Type.Optional(Type.Number()),
  manyMemory: Type.Optional(Type.Number()),
})
type Measured = Static<typeof Measured>

const rows: readonly (readonly [key: keyof Measured, title: string])[] = [
  ['ready', 'ready (ms)'],
  ['first', 'first cell, sent at once (ms)'],
  ['sum', 'a new sum, such as 7 + 1 (ms)'],
  ['function', 'a new function (ms)'],
  ['library', 'the cell that imports the library (ms)'],
  ['functionAfter', 'a new function after it (ms)'],
  ['sumAfter', 'a new sum after it (ms)'],
  ['additions', '20 million additions to a top-level variable (ms)'],
  ['completion', 'completion, middle of 100 (ms)'],
  ['completion99', 'completion, 99th of 100 (ms)'],
  ['inspection', 'inspection, middle of 100 (ms)'],
  ['inspection99', 'inspection, 99th of 100 (ms)'],
  ['busyCompletion', 'completion while a cell runs, 99th of 100 (ms)'],
  ['busyInspection', 'inspection while a cell runs, 99th of 100 (ms)'],
  ['memory', 'memory after all this, 8 s idle (MiB)'],
  ['next', 'a new sum after that (ms)'],
  ['tenth', 'the 9th to the 24th of 2,000 cells (ms)'],
  ['last', 'the last 16 of 2,000 cells (ms)'],
  ['manyMemory', 'memory after them (MiB)'],
]

const kernels: readonly (readonly [
  title: string,
  name: string,
  language: string,
  library: string,
])[] = [
  ['Community-Lab', 'communitylab', 'typescript', '@community-lab/kernel'],
  ['ipykernel', 'python3', 'python', ''],
  ['stock tslab', 'tslab', 'typescript', '@community-lab/kernel'],
]

/**
 * Time cells over Jupyter's sockets, with medians of fifteen: this kernel, ipykernel and stock tslab in turn, each round in new processes. The memory is that of all
 * processes of the kernel. In the first round this kernel and ipykernel run 2,000 cells more; with stock tslab they would take an hour.
 */
export async function measureKernel(rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'cl-bench-kernel-'))
  try {
    await installTslab(folder)
    const found = new Map<string, Measured[]>(kernels.map(([title]) => [title, []]))
    for (let round = 0; round < rounds; round++)
      for (const [title, ...args] of kernels) {
        const isLong = round === 0 && title !== 'stock tslab'
        found.get(title)?.push(await measure(folder, [...args, isLong ? 'long' : '']))
      }
    const columns = kernels.map(([title]) => found.get(title) ?? [])
    printTable(
      ['', ...kernels.map(([title]) => title)],
      rows.map(([key, title]) => [title, ...columns.map((each) => cellOf(each, key))]),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What `tslab install` writes. */
async function installTslab(folder: string): Promise<void> {
  const place = join(folder, 'kernels/tslab')
  await mkdir(place, { recursive: true })
  const argv = [
    process.execPath,
    join(checkout, 'node_modules/tslab/bin/tslab'),
    'kernel',
    '--config-path={connection_file}',
  ]
  const spec = { argv, display_name: 'tslab', language: 'typescript' }
  await writeFile(join(place, 'kernel.json'), JSON.stringify(spec))
}

async function measure(folder: string, args: readonly string[]): Promise<Measured> {
  const client = join(import.meta.dirname, 'kernel/client.py')
  const { stdout } = await promisify(execFile)(
    join(checkout, '.venv/bin/python'),
    ['-B', '-W', 'ignore', client, ...args],
    {
      // Where the library is found by all.
      cwd: join(checkout, 'notebooks'),
      env: {
        ...process.env,
        COMMUNITY_LAB_HOME: folder,
        JUPYTER_PATH: `${folder}:${join(checkout, '.venv/share/jupyter')}`,
        JUPYTER_RUNTIME_DIR: join(folder, 'runtime'),
        IPYTHONDIR: join(folder, 'ipython'),
      },
    },
  )
  return Value.Parse(Measured, JSON.parse(stdout))
}

function cellOf(measured: readonly Measured[], key: keyof Measured): string {
  const values = measured.flatMap((each) => each[key] ?? [])
  if (values.length === 0) return ''
  const format = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0))
  return `${format(median(values))} (${format(Math.min(...values))}–${format(Math.max(...values))})`
}
